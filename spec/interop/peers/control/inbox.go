package control

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"time"
)

// How many answers may wait per peer before the reactor stops reading, as a real reactor would have to.
const echoBacklog = 64

// Messages up to this size are reported with their bytes.
const shownBytes = 64

// Inbox is what the test reactor does with a received message: wait if it was told to be slow, report, echo.
type Inbox struct {
	host     *Host
	node     Node
	attached chan struct{}

	mu      sync.Mutex
	resume  chan struct{} // closed while reading is not paused
	delay   time.Duration
	quiet   bool
	echo    map[byte]bool
	count   uint64
	bytes   uint64
	backlog map[string]chan echoed
}

type echoed struct {
	channel byte
	message []byte
}

func newInbox(host *Host) *Inbox {
	open := make(chan struct{})
	close(open)
	return &Inbox{host: host, attached: make(chan struct{}), resume: open, echo: map[byte]bool{EchoChannel: true}, backlog: map[string]chan echoed{}}
}

// Attach gives the inbox the node through which it echoes. A peer may be up before that: it waits.
func (in *Inbox) Attach(node Node) {
	in.node = node
	close(in.attached)
}

// Receive is called by the reactor on the goroutine that reads the connection, so that pausing it stops reading from the socket.
func (in *Inbox) Receive(from string, channel byte, message []byte) {
	in.mu.Lock()
	resume, delay := in.resume, in.delay
	in.mu.Unlock()
	<-resume
	if delay > 0 {
		time.Sleep(delay)
	}
	in.mu.Lock()
	in.count++
	in.bytes += uint64(len(message))
	quiet, backlog := in.quiet, in.backlog[from]
	if !in.echo[channel] {
		backlog = nil
	}
	in.mu.Unlock()
	if !quiet {
		in.host.Emit("message", describe(from, channel, message))
	}
	if backlog != nil {
		in.enqueue(backlog, echoed{channel, message})
	}
}

func (in *Inbox) enqueue(backlog chan echoed, item echoed) {
	// The peer may go down, which closes the backlog, while we wait for room.
	defer func() { _ = recover() }()
	backlog <- item
}

func describe(from string, channel byte, message []byte) Fields {
	sum := sha256.Sum256(message)
	fields := Fields{"from": from, "channel": channel, "size": len(message), "sha256": hex.EncodeToString(sum[:])}
	if len(message) <= shownBytes {
		fields["hex"] = hex.EncodeToString(message)
	}
	return fields
}

func (in *Inbox) peerUp(id string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if old := in.backlog[id]; old != nil {
		close(old)
	}
	backlog := make(chan echoed, echoBacklog)
	in.backlog[id] = backlog
	go func() {
		<-in.attached
		for item := range backlog {
			if ok, err := in.node.Send(id, item.channel, item.message); !ok {
				in.host.Emit("echo_failed", Fields{"to": id, "channel": item.channel, "size": len(item.message), "error": text(err)})
			}
		}
	}()
}

func (in *Inbox) peerDown(id string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if backlog := in.backlog[id]; backlog != nil {
		close(backlog)
		delete(in.backlog, id)
	}
}

func (in *Inbox) setPaused(paused bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	select {
	case <-in.resume:
		if paused {
			in.resume = make(chan struct{})
		}
	default:
		if !paused {
			close(in.resume)
		}
	}
}

func (in *Inbox) setEcho(on bool, channels []int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(channels) == 0 {
		channels = []int{EchoChannel}
	}
	for _, id := range channels {
		in.echo[byte(id)] = on
	}
}

func (in *Inbox) set(change func(in *Inbox)) {
	in.mu.Lock()
	defer in.mu.Unlock()
	change(in)
}
