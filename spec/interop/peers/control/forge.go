package control

import (
	"bufio"
	"bytes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/gtank/merlin"
	"golang.org/x/crypto/chacha20poly1305"
)

const (
	dataSize  = 1024
	plainSize = 4 + dataSize
)

// forgeSpec says where a handshake made by hand leaves the path of an honest one.
type forgeSpec struct {
	// Ephemeral: empty for an honest key; "echo" for the remote's own; else hex, sent as the value of a well-formed message. A key
	// that is not ours has no secret, so the handshake ends there and the connection stays open for the remote to react.
	Ephemeral string `json:"ephemeral"`
	// EphemeralRaw: hex of all bytes to send in place of the key message. Ends the handshake likewise.
	EphemeralRaw string `json:"ephemeral_raw"`
	// StopAfter: "key" ends the handshake after our key is sent, "secret" after the keys are derived, before AuthSig.
	StopAfter string `json:"stop_after"`
	// Auth: empty for an honest AuthSig; none, bad_signature, other_challenge, secp256k1, field3, missing_key, echo; or hex of the
	// message with its length.
	Auth string `json:"auth"`
	// CutAuth: write only so many bytes of the sealed frame of AuthSig.
	CutAuth int `json:"cut_auth"`
	// Pad: hex byte that fills unused frame bytes.
	Pad string `json:"pad"`
}

var errStopped = errors.New("handshake stopped as asked")

// forged is a secret connection made by hand. The line's own one cannot send what is forbidden.
type forged struct {
	conn       io.ReadWriteCloser
	in         *bufio.Reader
	send, recv cipher.AEAD
	sendNonce  uint64
	recvNonce  uint64
	rest       []byte
	last       []byte
	pad        byte
	cut        int
}

// forgeHandshake returns the stream as soon as it exists, even if the handshake was told to stop or failed later.
func forgeHandshake(conn io.ReadWriteCloser, key ed25519.PrivateKey, spec forgeSpec, write func(*forged, []byte) error) (*forged, ed25519.PublicKey, error) {
	f := &forged{conn: conn, in: bufio.NewReader(conn)}
	if spec.Pad != "" {
		pad, err := hex.DecodeString(spec.Pad)
		if err != nil || len(pad) != 1 {
			return nil, nil, errors.New("pad is one byte in hex")
		}
		f.pad = pad[0]
	}
	dh, local, remote, err := f.exchangeKeys(spec)
	if err != nil {
		return nil, nil, err
	}
	challenge, err := f.derive(dh, local, remote)
	if err != nil {
		return nil, nil, err
	}
	if spec.StopAfter == "secret" {
		return f, nil, errStopped
	}
	reader := bufio.NewReader(f)
	if spec.Auth == "echo" {
		auth, err := readPrefixed(reader)
		if err != nil {
			return f, nil, err
		}
		if err := write(f, prefixed(auth)); err != nil {
			return f, nil, err
		}
		return f, nil, errStopped
	}
	auth, err := makeAuth(spec.Auth, key, challenge)
	if err != nil {
		return f, nil, err
	}
	if spec.CutAuth > 0 {
		f.cut = spec.CutAuth
		if err := f.WriteFrame(auth, len(auth), -1); err != nil {
			return f, nil, err
		}
		return f, nil, errStopped
	}
	if len(auth) > 0 {
		if err := write(f, auth); err != nil {
			return f, nil, err
		}
	}
	body, err := readPrefixed(reader)
	if err != nil {
		return f, nil, fmt.Errorf("reading AuthSig: %w", err)
	}
	// What the buffer took beyond AuthSig belongs to whoever reads next.
	ahead, _ := reader.Peek(reader.Buffered())
	f.rest = append(append([]byte(nil), ahead...), f.rest...)
	identity, err := checkAuth(body, challenge)
	return f, identity, err
}

func (f *forged) exchangeKeys(spec forgeSpec) (dh, local, remote []byte, err error) {
	private, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, nil, err
	}
	local = private.PublicKey().Bytes()
	message := prefixed(putBytes(nil, 1, local))
	honest := true
	switch {
	case spec.EphemeralRaw != "":
		honest = false
		if message, err = hex.DecodeString(spec.EphemeralRaw); err != nil {
			return nil, nil, nil, err
		}
	case spec.Ephemeral == "echo":
		honest = false
		body, err := readPrefixed(f.in)
		if err != nil {
			return nil, nil, nil, err
		}
		message = prefixed(body)
	case spec.Ephemeral != "":
		honest = false
		value, err := hex.DecodeString(spec.Ephemeral)
		if err != nil {
			return nil, nil, nil, err
		}
		message = prefixed(putBytes(nil, 1, value))
	}
	if _, err := f.conn.Write(message); err != nil {
		return nil, nil, nil, err
	}
	if !honest || spec.StopAfter == "key" {
		return nil, nil, nil, errStopped
	}
	body, err := readPrefixed(f.in)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("reading ephemeral key: %w", err)
	}
	fields, err := wireFields(body)
	if err != nil || len(fields) == 0 || fields[0].number != 1 || len(fields[0].bytes) != 32 {
		return nil, nil, nil, fmt.Errorf("not an ephemeral key: %x", body)
	}
	remote = fields[0].bytes
	public, err := ecdh.X25519().NewPublicKey(remote)
	if err != nil {
		return nil, nil, nil, err
	}
	dh, err = private.ECDH(public)
	return dh, local, remote, err
}

func (f *forged) derive(dh, local, remote []byte) (challenge []byte, err error) {
	low, high := local, remote
	localIsLow := bytes.Compare(local, remote) < 0
	if !localIsLow {
		low, high = remote, local
	}
	keys, err := hkdf.Key(sha256.New, dh, nil, "TENDERMINT_SECRET_CONNECTION_KEY_AND_CHALLENGE_GEN", 96)
	if err != nil {
		return nil, err
	}
	receiveKey, sendKey := keys[:32], keys[32:64]
	if !localIsLow {
		receiveKey, sendKey = sendKey, receiveKey
	}
	if f.recv, err = chacha20poly1305.New(receiveKey); err != nil {
		return nil, err
	}
	if f.send, err = chacha20poly1305.New(sendKey); err != nil {
		return nil, err
	}
	transcript := merlin.NewTranscript("TENDERMINT_SECRET_CONNECTION_TRANSCRIPT_HASH")
	transcript.AppendMessage([]byte("EPHEMERAL_LOWER_PUBLIC_KEY"), low)
	transcript.AppendMessage([]byte("EPHEMERAL_UPPER_PUBLIC_KEY"), high)
	transcript.AppendMessage([]byte("DH_SECRET"), dh)
	return transcript.ExtractBytes([]byte("SECRET_CONNECTION_MAC"), 32), nil
}

func makeAuth(kind string, key ed25519.PrivateKey, challenge []byte) ([]byte, error) {
	public := []byte(key.Public().(ed25519.PublicKey))
	field, signature := 1, ed25519.Sign(key, challenge)
	switch kind {
	case "":
	case "none":
		return nil, nil
	case "bad_signature":
		signature[0] ^= 1
	case "other_challenge":
		signature = ed25519.Sign(key, make([]byte, 32))
	case "secp256k1":
		field, public = 2, append([]byte{2}, public...)
	case "field3":
		field = 3
	case "missing_key":
		return prefixed(putBytes(nil, 2, signature)), nil
	default:
		return hex.DecodeString(kind)
	}
	return prefixed(putBytes(putBytes(nil, 1, putBytes(nil, field, public)), 2, signature)), nil
}

func checkAuth(body, challenge []byte) (ed25519.PublicKey, error) {
	fields, err := wireFields(body)
	if err != nil || len(fields) != 2 {
		return nil, fmt.Errorf("not an AuthSig: %x", body)
	}
	key, err := wireFields(fields[0].bytes)
	if err != nil || len(key) != 1 || key[0].number != 1 || len(key[0].bytes) != 32 {
		return nil, fmt.Errorf("no ed25519 key in AuthSig: %x", body)
	}
	if !ed25519.Verify(key[0].bytes, challenge, fields[1].bytes) {
		return nil, errors.New("the remote's signature does not verify")
	}
	return key[0].bytes, nil
}

func nonce(counter uint64) []byte {
	return binary.LittleEndian.AppendUint64(make([]byte, 4, 12), counter)
}

// Write seals plain text in frames of at most 1024 bytes.
func (f *forged) Write(plain []byte) (int, error) {
	for at := 0; at < len(plain); at += dataSize {
		part := plain[at:min(at+dataSize, len(plain))]
		if err := f.WriteFrame(part, len(part), -1); err != nil {
			return at, err
		}
	}
	return len(plain), nil
}

// WriteFrame seals one frame. The length field may lie; flip is the index of a sealed bit to invert, or -1.
func (f *forged) WriteFrame(data []byte, length, flip int) error {
	if len(data) > dataSize {
		return errors.New("too much for a frame")
	}
	plain := bytes.Repeat([]byte{f.pad}, plainSize)
	binary.LittleEndian.PutUint32(plain, uint32(length))
	copy(plain[4:], data)
	sealed := f.send.Seal(nil, nonce(f.sendNonce), plain, nil)
	f.sendNonce++
	if flip >= 0 {
		sealed[flip/8%len(sealed)] ^= 1 << (flip % 8)
	}
	if f.cut > 0 && f.cut < len(sealed) {
		sealed = sealed[:f.cut]
		f.cut = 0
	}
	f.last = sealed
	_, err := f.conn.Write(sealed)
	return err
}

// Replay writes the last frame again.
func (f *forged) Replay() error {
	_, err := f.conn.Write(f.last)
	return err
}

func (f *forged) Read(to []byte) (int, error) {
	for len(f.rest) == 0 {
		sealed := make([]byte, plainSize+f.recv.Overhead())
		if _, err := io.ReadFull(f.in, sealed); err != nil {
			return 0, err
		}
		plain, err := f.recv.Open(nil, nonce(f.recvNonce), sealed, nil)
		if err != nil {
			return 0, fmt.Errorf("frame %d does not open: %w", f.recvNonce, err)
		}
		f.recvNonce++
		length := binary.LittleEndian.Uint32(plain)
		if length > dataSize {
			return 0, fmt.Errorf("frame %d announces %d bytes", f.recvNonce-1, length)
		}
		f.rest = plain[4 : 4+length]
	}
	n := copy(to, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

func (f *forged) Close() error { return f.conn.Close() }
