package control

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Fields are the members of an event beside its name and time.
type Fields map[string]any

// Host is the outside world of a node: events and logs go out through it, received messages come in through its Inbox.
type Host struct {
	Inbox *Inbox

	mu      sync.Mutex
	out     *bufio.Writer
	started time.Time
	level   int
	watches map[int]watch
	next    int
	up      map[string]bool // value: a command asked for the end of this connection

	parent *Host // of a node of a crowd: what it says goes out there, with its number
	number int
}

func newHost(out io.Writer, level string) (*Host, error) {
	rank, ok := logRanks[level]
	if !ok {
		return nil, fmt.Errorf("unknown log level %q", level)
	}
	h := &Host{out: bufio.NewWriter(out), started: time.Now(), level: rank, watches: map[int]watch{}, up: map[string]bool{}}
	h.Inbox = newInbox(h)
	return h, nil
}

// member makes the host of one node of a crowd.
func (h *Host) member(number int) *Host {
	m := &Host{parent: h, number: number, started: h.started, level: h.level, watches: map[int]watch{}, up: map[string]bool{}}
	m.Inbox = newInbox(m)
	return m
}

// Emit writes one event. The member t is the time since start in milliseconds.
func (h *Host) Emit(event string, fields Fields) {
	line := Fields{}
	for name, value := range fields {
		line[name] = value
	}
	if h.parent != nil {
		line["node"] = h.number
		h.parent.Emit(event, line)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	line["event"] = event
	line["t"] = float64(time.Since(h.started).Microseconds()) / 1000
	encoded, err := json.Marshal(line)
	if err != nil {
		encoded, _ = json.Marshal(Fields{"event": "error", "error": "cannot encode event " + event + ": " + err.Error()})
	}
	_, _ = h.out.Write(append(encoded, '\n'))
	// Every event is flushed: a runner waits for single lines.
	_ = h.out.Flush()
}

var logRanks = map[string]int{"debug": 0, "info": 1, "warn": 2, "error": 3}

// Texts by which the lines log that they refused a connection. Some are below error level, so they are events of their own.
var rejections = map[string]bool{
	"Inbound Peer rejected": true,
	"Ignoring inbound connection: already have enough inbound peers": true,
	"Ignoring inbound connection: error while adding peer":           true,
	"peer filtered by IP":         true,
	"peer filtered by node ID":    true,
	"peer handshake failed":       true,
	"failed to accept connection": true,
	"rate limiting incoming peer": true,
}

// Log takes a line of the node's logger. Keys and values alternate in pairs. Most lines are dropped before anything is rendered,
// because some carry whole messages.
func (h *Host) Log(level, message string, pairs ...any) {
	h.mu.Lock()
	var watches []func(string, Fields)
	for _, watch := range h.watches {
		if strings.HasPrefix(message, watch.prefix) {
			watches = append(watches, watch.call)
		}
	}
	h.mu.Unlock()
	shown := logRanks[level] >= h.level
	if !shown && !rejections[message] && len(watches) == 0 {
		return
	}
	fields := Fields{}
	for i := 0; i+1 < len(pairs); i += 2 {
		fields[fmt.Sprint(pairs[i])] = text(pairs[i+1])
	}
	for _, watch := range watches {
		watch(message, fields)
	}
	if rejections[message] {
		h.Emit("rejected", Fields{"message": message, "reason": fields["err"], "fields": fields})
	}
	if shown {
		h.Emit("log", Fields{"level": level, "message": message, "fields": fields})
	}
}

type watch struct {
	prefix string
	call   func(message string, fields Fields)
}

// Watch calls f for each log line that begins with prefix, until the returned function is called.
func (h *Host) Watch(prefix string, f func(message string, fields Fields)) (cancel func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	id := h.next
	h.next++
	h.watches[id] = watch{prefix, f}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.watches, id)
	}
}

// PeerUp is called by the node once per connection.
func (h *Host) PeerUp(info PeerInfo) {
	h.mu.Lock()
	h.up[info.ID] = false
	h.mu.Unlock()
	h.Inbox.peerUp(info.ID)
	info.Connection = nil
	h.Emit("peer_up", Fields{"id": info.ID, "direction": info.Direction, "peer": info})
}

// PeerDown reports the reason as the node gave it. A node may say so twice, when stopping a peer makes its reader fail: the first counts.
func (h *Host) PeerDown(id string, reason any) {
	h.mu.Lock()
	requested, up := h.up[id]
	delete(h.up, id)
	h.mu.Unlock()
	if !up {
		return
	}
	h.Inbox.peerDown(id)
	h.Emit("peer_down", Fields{"id": id, "reason": text(reason), "requested": requested})
}

// asked notes that a command ends the connection, because the reason that the node then gives depends on which goroutine is first.
func (h *Host) asked(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, up := h.up[id]; up {
		h.up[id] = true
	}
}

// text renders values of loggers, whose String methods may panic on half-built objects.
func text(value any) (rendered any) {
	defer func() {
		if recover() != nil {
			rendered = fmt.Sprintf("%T", value)
		}
	}()
	switch v := value.(type) {
	case nil:
		return nil
	case bool, int, int64, uint64, string:
		return v
	default:
		return fmt.Sprint(v)
	}
}
