package control

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Messages that a raw connection reads are never larger than this; a remote that announces more is reported, not served.
const maxBody = 1 << 20

// prefixed puts the length in front of a body.
func prefixed(body []byte) []byte {
	return append(binary.AppendUvarint(nil, uint64(len(body))), body...)
}

func readPrefixed(r *bufio.Reader) ([]byte, error) {
	size, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	if size > maxBody {
		return nil, fmt.Errorf("announced body of %d bytes", size)
	}
	body := make([]byte, size)
	_, err = io.ReadFull(r, body)
	return body, err
}

// putBytes and putNumber append one field, even when it holds the zero value.
func putBytes(to []byte, field int, value []byte) []byte {
	to = binary.AppendUvarint(to, uint64(field<<3|2))
	to = binary.AppendUvarint(to, uint64(len(value)))
	return append(to, value...)
}

func putNumber(to []byte, field int, value uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(to, uint64(field<<3)), value)
}

// wireField is one field of a decoded message; only the two wire types that the handshake uses occur.
type wireField struct {
	number int
	value  uint64
	bytes  []byte
}

func wireFields(body []byte) ([]wireField, error) {
	var fields []wireField
	for len(body) > 0 {
		key, n := binary.Uvarint(body)
		if n <= 0 {
			return fields, errors.New("bad field key")
		}
		value, m := binary.Uvarint(body[n:])
		if m <= 0 {
			return fields, errors.New("bad field value")
		}
		body = body[n+m:]
		field := wireField{number: int(key >> 3), value: value}
		switch key & 7 {
		case 0:
		case 2:
			if value > uint64(len(body)) {
				return fields, errors.New("field too long")
			}
			field.bytes, body = body[:value], body[value:]
		default:
			return fields, fmt.Errorf("wire type %d", key&7)
		}
		fields = append(fields, field)
	}
	return fields, nil
}

// nodeInfoSpec says what NodeInfo to send. A member that is absent has the default of an honest peer.
type nodeInfoSpec struct {
	Hex        *string  `json:"hex"` // the whole body, verbatim
	P2P        *uint64  `json:"p2p"`
	Block      *uint64  `json:"block"`
	App        *uint64  `json:"app"`
	ID         *string  `json:"id"` // "upper": our own in upper case
	ListenAddr *string  `json:"listen_addr"`
	Network    *string  `json:"network"`
	Version    *string  `json:"version"`
	Channels   *string  `json:"channels"` // hex
	Moniker    *string  `json:"moniker"`
	TxIndex    *string  `json:"tx_index"`
	RPCAddress *string  `json:"rpc_address"`
	Omit       []string `json:"omit"`   // fields to leave out, by the names used here
	PadTo      int      `json:"pad_to"` // size of the body; an unknown field fills it
}

func or[T any](value *T, fallback T) T {
	if value == nil {
		return fallback
	}
	return *value
}

func (s *nodeInfoSpec) encode(o *Options, selfID, listen string) ([]byte, error) {
	if s == nil {
		s = &nodeInfoSpec{}
	}
	if s.Hex != nil {
		return hex.DecodeString(*s.Hex)
	}
	channels, err := hex.DecodeString(or(s.Channels, "777888"))
	if err != nil {
		return nil, err
	}
	id := or(s.ID, selfID)
	if id == "upper" {
		id = strings.ToUpper(selfID)
	}
	omitted := map[string]bool{}
	for _, name := range s.Omit {
		omitted[name] = true
	}
	version := func(value uint64, name string, field int, to []byte) []byte {
		if value == 0 || omitted[name] {
			return to
		}
		return putNumber(to, field, value)
	}
	protocol := version(or(s.P2P, 8), "p2p", 1, nil)
	protocol = version(or(s.Block, 11), "block", 2, protocol)
	protocol = version(or(s.App, 0), "app", 3, protocol)
	other := putBytes(nil, 1, []byte(or(s.TxIndex, "on")))
	other = putBytes(other, 2, []byte(or(s.RPCAddress, "")))
	var body []byte
	for _, member := range []struct {
		field int
		name  string
		value []byte
	}{
		{1, "protocol_version", protocol},
		{2, "id", []byte(id)},
		{3, "listen_addr", []byte(or(s.ListenAddr, listen))},
		{4, "network", []byte(or(s.Network, o.Network))},
		{5, "version", []byte(or(s.Version, "0.0.0"))},
		{6, "channels", channels},
		{7, "moniker", []byte(or(s.Moniker, o.Moniker))},
		{8, "other", other},
	} {
		if !omitted[member.name] {
			body = putBytes(body, member.field, member.value)
		}
	}
	return padNodeInfo(body, s.PadTo)
}

func padNodeInfo(body []byte, size int) ([]byte, error) {
	if size == 0 {
		return body, nil
	}
	for padding := size - len(body) - 2; padding >= 0 && padding >= size-len(body)-5; padding-- {
		if padded := putBytes(body[:len(body):len(body)], 15, make([]byte, padding)); len(padded) == size {
			return padded, nil
		}
	}
	return nil, fmt.Errorf("cannot pad %d bytes to %d", len(body), size)
}

// decodeNodeInfo renders a received NodeInfo for an event.
func decodeNodeInfo(body []byte) (Fields, error) {
	out := Fields{"size": len(body), "hex": hex.EncodeToString(body)}
	fields, err := wireFields(body)
	if err != nil {
		return out, err
	}
	names := map[int]string{2: "id", 3: "listen_addr", 4: "network", 5: "version", 7: "moniker"}
	for _, field := range fields {
		switch field.number {
		case 1:
			numbers, err := wireFields(field.bytes)
			if err != nil {
				return out, err
			}
			for _, number := range numbers {
				out[map[int]string{1: "p2p", 2: "block", 3: "app"}[number.number]] = number.value
			}
		case 6:
			out["channels"] = hex.EncodeToString(field.bytes)
		default:
			if name := names[field.number]; name != "" {
				out[name] = string(field.bytes)
			}
		}
	}
	return out, nil
}
