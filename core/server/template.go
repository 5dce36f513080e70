package server

import (
	"encoding/json"

	"github.com/milvus-io/milvus-proto/go-api/v3/schemapb"

	"github.com/snapexport/snapexport/core/status"
)

// templateValues are the values of an expression's variables.
func templateValues(in map[string]*schemapb.TemplateValue) (map[string]any, error) {
	if len(in) == 0 {
		return nil, nil
	}
	out := make(map[string]any, len(in))
	for name, v := range in {
		value, err := templateValue(v)
		if err != nil {
			return nil, status.Invalid("template variable %s: %v", name, err)
		}
		out[name] = value
	}
	return out, nil
}

func templateValue(v *schemapb.TemplateValue) (any, error) {
	switch v := v.GetVal().(type) {
	case *schemapb.TemplateValue_BoolVal:
		return v.BoolVal, nil
	case *schemapb.TemplateValue_Int64Val:
		return v.Int64Val, nil
	case *schemapb.TemplateValue_FloatVal:
		return v.FloatVal, nil
	case *schemapb.TemplateValue_StringVal:
		return v.StringVal, nil
	case *schemapb.TemplateValue_ArrayVal:
		return templateArray(v.ArrayVal)
	}
	return nil, status.Invalid("a value of type %T", v.GetVal())
}

func templateArray(a *schemapb.TemplateArrayValue) (any, error) {
	switch d := a.GetData().(type) {
	case *schemapb.TemplateArrayValue_BoolData:
		return d.BoolData.GetData(), nil
	case *schemapb.TemplateArrayValue_LongData:
		return d.LongData.GetData(), nil
	case *schemapb.TemplateArrayValue_DoubleData:
		return d.DoubleData.GetData(), nil
	case *schemapb.TemplateArrayValue_StringData:
		return d.StringData.GetData(), nil
	case *schemapb.TemplateArrayValue_JsonData:
		out := []any{}
		for _, text := range d.JsonData.GetData() {
			v, err := jsonValue(text)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	case *schemapb.TemplateArrayValue_ArrayData:
		out := []any{}
		for _, inner := range d.ArrayData.GetData() {
			v, err := templateArray(inner)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	case nil:
		return []any{}, nil
	}
	return nil, status.Invalid("an array of type %T", a.GetData())
}

// jsonValue reads a scalar, integers exactly.
func jsonValue(text []byte) (any, error) {
	var n int64
	if json.Unmarshal(text, &n) == nil {
		return n, nil
	}
	var v any
	err := json.Unmarshal(text, &v)
	return v, err
}
