package milvus

// Index is an index of a collection as its metadata declares it.
type Index struct {
	ID         IndexID    `json:"id,string"`
	Field      FieldID    `json:"field"`
	Name       string     `json:"name"`
	TypeParams []KeyValue `json:"type_params,omitempty"`
	Params     []KeyValue `json:"params,omitempty"`      // resolved: index_type, metric_type, ...
	UserParams []KeyValue `json:"user_params,omitempty"` // as the user gave them
	Automatic  bool       `json:"automatic,omitempty"`
}
