package filter

import (
	"strconv"
	"strings"

	"github.com/snapexport/snapexport/milvus"
)

// ref resolves a name: a field, a struct array's member, the dynamic field, or a key of it.
func (b *binder) ref(s *syntaxRef, at int) (node, error) {
	for _, f := range b.schema.UserFields() {
		if f.Name == s.Name || f.Dynamic && s.Name == "$meta" {
			return b.field(f, s.Steps, at)
		}
	}
	for _, a := range b.schema.StructArrays {
		if a.Name == s.Name {
			return b.member(a, s.Steps, at)
		}
	}
	if f, ok := b.dynamicField(); ok && s.Name != "$meta" {
		return b.path(f, []step{newStep(s.Name)}, s.Steps, at)
	}
	err := b.invalid(at, "no field %s", s.Name)
	if near := nearest(s.Name, b.fieldNames()); near != "" {
		return node{}, err.WithHint("did you mean %s?", near)
	}
	if s.Name == "$meta" {
		return node{}, err.WithHint("the collection has no dynamic field")
	}
	return node{}, err.WithHint("the fields are %s", strings.Join(b.fieldNames(), ", "))
}

func (b *binder) dynamicField() (milvus.Field, bool) {
	for _, f := range b.schema.Fields {
		if f.Dynamic {
			return f, true
		}
	}
	return milvus.Field{}, false
}

func (b *binder) fieldNames() []string {
	var names []string
	for _, f := range b.schema.UserFields() {
		names = append(names, f.Name)
	}
	for _, a := range b.schema.StructArrays {
		names = append(names, a.Name)
	}
	return names
}

func (b *binder) field(f milvus.Field, steps []*syntaxStep, at int) (node, error) {
	k := kindOf(f.Type)
	switch {
	case k == kindJSON:
		return b.path(f, nil, steps, at)
	case len(steps) == 0:
		return node{val: &column{field: f, typ: k}, at: at}, nil
	case k != kindList:
		return node{}, b.invalid(steps[0].Pos.Offset, "%s is a %s field, it has no elements", f.Name, f.Type)
	}
	return b.element(&column{field: f, typ: k}, steps, at)
}

func (b *binder) element(array *column, steps []*syntaxStep, at int) (node, error) {
	if len(steps) > 1 || steps[0].Index == nil {
		return node{}, b.invalid(steps[0].Pos.Offset, "an array has elements 0, 1, 2 and so on").WithHint("write %s[0]", array.text())
	}
	index, err := b.stepIndex(steps[0])
	if err != nil {
		return node{}, err
	}
	return node{val: &element{array: array, typ: kindOf(array.field.ElementType), index: index}, at: at}, nil
}

// stepIndex reads a decimal index.
func (b *binder) stepIndex(s *syntaxStep) (int, error) {
	i, err := strconv.ParseInt(*s.Index, 10, 32)
	if err != nil || strconv.FormatInt(i, 10) != *s.Index {
		return 0, b.invalid(s.Pos.Offset, "%s is not a decimal index", *s.Index)
	}
	return int(i), nil
}

// member resolves s[sub], s[sub][0] and s[0][sub].
func (b *binder) member(a milvus.StructArray, steps []*syntaxStep, at int) (node, error) {
	name := -1
	for i, s := range steps {
		if s.Member != nil && name < 0 {
			name = i
		}
	}
	if name < 0 || len(steps) > 2 {
		return node{}, b.invalid(at, "%s is a struct array", a.Name).WithHint("name a member: %s[%s]", a.Name, firstMember(a))
	}
	want := *steps[name].Member
	for _, f := range a.Members {
		if f.Name != want && f.Name != a.Name+"["+want+"]" {
			continue
		}
		f.Name = a.Name + "[" + want + "]"
		k := kindOf(f.Type)
		if f.Type == milvus.TypeArrayOfVector {
			k = kindList
		}
		array := &column{field: f, typ: k}
		if len(steps) == 1 {
			return node{val: array, at: at}, nil
		}
		return b.element(array, steps[1-name:2-name], at)
	}
	return node{}, b.invalid(steps[name].Pos.Offset, "%s has no member %s", a.Name, want)
}

func firstMember(a milvus.StructArray) string {
	if len(a.Members) == 0 {
		return "member"
	}
	name := strings.TrimPrefix(a.Members[0].Name, a.Name+"[")
	return strings.TrimSuffix(name, "]")
}

func (b *binder) path(f milvus.Field, steps []step, syntax []*syntaxStep, at int) (node, error) {
	for _, s := range syntax {
		switch {
		case s.Member != nil:
			return node{}, b.invalid(s.Pos.Offset, "JSON keys are strings").WithHint("write [%q]", *s.Member)
		case s.Index != nil:
			if _, err := b.stepIndex(s); err != nil {
				return node{}, err
			}
			steps = append(steps, newStep(*s.Index))
		default:
			key, bad := unquote(*s.Key)
			if bad >= 0 {
				return node{}, b.invalid(s.Pos.Offset, "bad escape in a key")
			}
			steps = append(steps, newStep(key))
		}
	}
	return node{val: &path{field: f, steps: steps}, at: at}, nil
}

// functions are those that can be called, by their lower-case names.
var functions = map[string]struct {
	mode   containMode
	length bool
}{
	"json_contains": {mode: containsOne}, "array_contains": {mode: containsOne},
	"json_contains_all": {mode: containsAll}, "array_contains_all": {mode: containsAll},
	"json_contains_any": {mode: containsAny}, "array_contains_any": {mode: containsAny},
	"array_length": {length: true},
}

func (b *binder) call(s *syntaxCall, at int) (node, error) {
	lower := strings.ToLower(s.Name)
	fn, ok := functions[lower]
	if !ok || s.Name != lower && s.Name != strings.ToUpper(s.Name) {
		names := make([]string, 0, len(functions))
		for name := range functions {
			names = append(names, name)
		}
		err := b.invalid(at, "no function %s", s.Name)
		if near := nearest(s.Name, names); near != "" {
			return node{}, err.WithHint("did you mean %s?", near)
		}
		return node{}, err
	}
	want := 2
	if fn.length {
		want = 1
	}
	if len(s.Args) != want {
		return node{}, b.invalid(at, "%s takes %d arguments, not %d", s.Name, want, len(s.Args))
	}
	array, err := b.arrayArgument(s, at)
	if err != nil {
		return node{}, err
	}
	if fn.length {
		return node{val: &length{of: array}, at: at}, nil
	}
	c, err := b.contains(array, fn.mode, s, at)
	return node{cond: c, at: at}, err
}

func (b *binder) arrayArgument(s *syntaxCall, at int) (operand, error) {
	n, err := b.or(s.Args[0])
	if err != nil {
		return nil, err
	}
	switch o := n.val.(type) {
	case *path:
		return o, nil
	case *column:
		if o.typ == kindList {
			return o, nil
		}
	}
	return nil, b.invalid(at, "%s needs an array field or a JSON path", s.Name)
}

func (b *binder) contains(array operand, mode containMode, s *syntaxCall, at int) (condition, error) {
	n, err := b.or(s.Args[1])
	if err != nil {
		return nil, err
	}
	c, ok := n.constant()
	if !ok {
		return nil, b.invalid(n.at, "%s looks for constants only", s.Name)
	}
	items := []scalar{c}
	if mode != containsOne {
		if c.kind != kindList {
			return nil, b.invalid(n.at, "%s needs a list", s.Name).WithHint("write [1, 2]")
		}
		items = c.list
	}
	elementKind := kindJSON
	if col, ok := array.(*column); ok {
		if elementKind = kindOf(col.field.ElementType); elementKind == kindNull || elementKind == kindList {
			return nil, b.opaque(&element{array: col, typ: kindNull}, n.at)
		}
	}
	set, shown, err := b.valueSet(elementKind, items, n.at)
	if err != nil {
		return nil, err
	}
	return &containment{of: array, mode: mode, list: shown, set: set}, nil
}
