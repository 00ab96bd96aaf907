package policy

// ActionOf is what a code leads to in this cell.
func (c Cell) ActionOf(code Code) Action { return c.action(code) }
