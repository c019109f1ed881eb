package client

// RoundTrip sends JSON values through the wire form.
func RoundTrip(object map[string]any) (map[string]any, error) {
	wire, err := toPayload(object)
	return fromPayload(wire), err
}
