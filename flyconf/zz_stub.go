package flyconf
// temporary, until the editor is merged
type Document struct{}
func ParseDocument(name string, data []byte) (*Document, error) { return nil, nil }
func (d *Document) Bytes() []byte { return nil }
func (d *Document) Set(path string, v any) error { return nil }
func (d *Document) Remove(path string) error { return nil }
func (d *Document) Comment(path, text string) error { return nil }
