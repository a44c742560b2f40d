package control

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// What a raw connection reads ahead so that it sees the end of the stream; beyond this the kernel's window closes.
const readAhead = 64 << 10

// socket is a TCP connection that reports its end at once, and whose writes can be held back or cut in pieces.
type socket struct {
	conn   net.Conn
	ended  func(err error)
	mu     sync.Mutex
	cond   *sync.Cond
	buffer []byte
	err    error
	paused bool
	read   atomic.Uint64

	writeMu sync.Mutex
	held    []byte
	hold    bool
	piece   int
	pause   time.Duration
	written atomic.Uint64
}

func newSocket(conn net.Conn, ended func(err error)) *socket {
	s := &socket{conn: conn, ended: ended}
	s.cond = sync.NewCond(&s.mu)
	return s
}

// pump reads until the stream ends. It is started once the owner is ready to hear of the end.
func (s *socket) pump() {
	chunk := make([]byte, 16<<10)
	for {
		s.mu.Lock()
		for s.paused || len(s.buffer) >= readAhead {
			s.cond.Wait()
		}
		s.mu.Unlock()
		n, err := s.conn.Read(chunk)
		s.mu.Lock()
		s.buffer = append(s.buffer, chunk[:n]...)
		s.read.Add(uint64(n))
		s.err = err
		s.cond.Broadcast()
		s.mu.Unlock()
		if err != nil {
			s.ended(err)
			return
		}
	}
}

func (s *socket) Read(to []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.buffer) == 0 {
		if s.err != nil {
			return 0, s.err
		}
		s.cond.Wait()
	}
	n := copy(to, s.buffer)
	s.buffer = s.buffer[n:]
	s.cond.Broadcast()
	return n, nil
}

// setPaused stops reading from the kernel, so that the remote's writes come to wait.
func (s *socket) setPaused(paused bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paused = paused
	s.cond.Broadcast()
}

func (s *socket) Write(bytes []byte) (int, error) {
	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	if s.hold {
		s.held = append(s.held, bytes...)
		return len(bytes), nil
	}
	return len(bytes), s.transmit(bytes)
}

func (s *socket) transmit(bytes []byte) error {
	size := s.piece
	if size <= 0 {
		size = max(len(bytes), 1)
	}
	for len(bytes) > 0 {
		part := bytes[:min(size, len(bytes))]
		n, err := s.conn.Write(part)
		s.written.Add(uint64(n))
		if err != nil {
			return err
		}
		bytes = bytes[len(part):]
		if s.pause > 0 && len(bytes) > 0 {
			time.Sleep(s.pause)
		}
	}
	return nil
}

// shape sets how later writes reach the network: held until release, or in pieces with pauses between them.
func (s *socket) shape(hold bool, piece int, pause time.Duration) error {
	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	s.hold, s.piece, s.pause = hold, piece, pause
	if hold || len(s.held) == 0 {
		return nil
	}
	held := s.held
	s.held = nil
	return s.transmit(held)
}

func (s *socket) Close() error { return s.close("fin") }

func (s *socket) close(how string) error {
	tcp, ok := s.conn.(*net.TCPConn)
	if ok && how == "rst" {
		// With no linger time the kernel drops what is unsent and resets.
		_ = tcp.SetLinger(0)
	}
	if ok && how == "half" {
		return tcp.CloseWrite()
	}
	s.setPaused(false)
	return s.conn.Close()
}

var _ io.ReadWriteCloser = (*socket)(nil)
