// Runs one real full node: a single validator with the built-in kvstore application, on loopback. The node is the genuine program of
// its release line; this one makes its home, starts it, watches its log and stops it.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sync"
	"time"
)

type options struct {
	line, binary, home, chain, moniker string
	listen, rpc, persistent, logLevel  string
	pex                                bool
	commitMS                           int
}

func parse() (*options, error) {
	o := &options{}
	flag.StringVar(&o.line, "line", "", "tm034, tm035, cmt038, cmt040 or cmt1")
	flag.StringVar(&o.binary, "binary", "", "the node's program")
	flag.StringVar(&o.home, "home", "", "a folder that does not exist yet or is empty")
	flag.StringVar(&o.chain, "chain-id", "interop", "chain id")
	flag.StringVar(&o.moniker, "moniker", "", "moniker (default: the line)")
	flag.StringVar(&o.listen, "listen", "127.0.0.1:0", "host:port for peers")
	flag.StringVar(&o.rpc, "rpc", "127.0.0.1:0", "host:port for RPC")
	flag.StringVar(&o.persistent, "persistent", "", "persistent peers id@host:port, comma separated")
	flag.StringVar(&o.logLevel, "log-level", "info", "level of the node's own log")
	flag.BoolVar(&o.pex, "pex", true, "peer exchange")
	flag.IntVar(&o.commitMS, "commit-ms", 500, "pause after each block")
	flag.Parse()
	if o.line == "" || o.binary == "" || o.home == "" || flag.NArg() > 0 {
		return nil, fmt.Errorf("--line, --binary and --home are needed, and no other arguments")
	}
	if o.moniker == "" {
		o.moniker = o.line
	}
	return o, nil
}

var (
	outMu   sync.Mutex
	started = time.Now()
)

type fields map[string]any

// emit writes one event as a line of JSON.
func emit(event string, members fields) {
	line := fields{}
	for name, value := range members {
		line[name] = value
	}
	line["event"] = event
	line["t"] = time.Since(started).Milliseconds()
	encoded, err := json.Marshal(line)
	if err != nil {
		return
	}
	outMu.Lock()
	defer outMu.Unlock()
	_, _ = os.Stdout.Write(append(encoded, '\n'))
}

func main() {
	o, err := parse()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if err := run(o); err != nil {
		emit("fatal", fields{"error": err.Error()})
		os.Exit(1)
	}
}

func run(o *options) error {
	if err := prepare(o); err != nil {
		return err
	}
	n, err := start(o)
	if err != nil {
		return err
	}
	stdin := make(chan command)
	go readCommands(stdin)
	go n.watchBlocks()
	for {
		select {
		case <-n.ended:
			return fmt.Errorf("the node ended: %v", n.state)
		case c, open := <-stdin:
			// A runner that dies closes our standard input, and the node must not outlive it.
			if !open || c.Name == "quit" {
				n.stop()
				emit("reply", fields{"command": "quit", "ref": c.Ref, "ok": true})
				return nil
			}
			go n.handle(c)
		}
	}
}

type command struct {
	Name    string `json:"command"`
	Ref     any    `json:"ref"`
	Address string `json:"address"`
	Match   string `json:"match"`
}

func readCommands(to chan<- command) {
	scanner := bufio.NewScanner(os.Stdin)
	for scanner.Scan() {
		c := command{}
		if err := json.Unmarshal(scanner.Bytes(), &c); err != nil {
			emit("error", fields{"error": "bad command: " + err.Error()})
			continue
		}
		to <- c
	}
	close(to)
}
