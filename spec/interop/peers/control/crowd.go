package control

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// crowd is many nodes in one process, each with a key, a port and a folder of its own. Starting a program takes far longer than starting a node.
type crowd struct {
	line    Line
	options *Options
	host    *Host

	mu      sync.Mutex
	members map[int]*peerProgram
	opened  int
}

func runCrowd(line Line, options *Options, host *Host) error {
	c := &crowd{line: line, options: options, host: host, members: map[int]*peerProgram{}}
	defer c.closeAll()
	host.Emit("ready", Fields{"line": line.Name(), "network": options.Network})
	return readCommands(host, c.handle)
}

func (c *crowd) handle(command *Command) bool {
	switch command.Name {
	case "open":
		// Nodes start and stop side by side, and other commands must not wait for them.
		go c.open(command)
	case "close":
		go c.close(command)
	case "quit":
		reply(c.host, command, nil, nil)
		return false
	default:
		c.mu.Lock()
		member := c.members[command.Node]
		c.mu.Unlock()
		if member == nil {
			reply(c.host, command, nil, fmt.Errorf("no node %d", command.Node))
		} else {
			member.handle(command)
		}
	}
	return true
}

func (c *crowd) open(command *Command) {
	c.mu.Lock()
	c.opened++
	number := c.opened
	c.mu.Unlock()
	options := *c.options
	options.Home = filepath.Join(c.options.Home, strconv.Itoa(number))
	if err := os.MkdirAll(options.Home, 0o700); err != nil {
		reply(c.host, command, nil, err)
		return
	}
	member, ready, err := startPeer(c.line, &options, c.host.member(number))
	if err == nil {
		c.mu.Lock()
		c.members[number] = member
		c.mu.Unlock()
		ready["node"] = number
	}
	reply(c.host, command, ready, err)
}

func (c *crowd) close(command *Command) {
	c.mu.Lock()
	member := c.members[command.Node]
	delete(c.members, command.Node)
	c.mu.Unlock()
	if member == nil {
		reply(c.host, command, nil, fmt.Errorf("no node %d", command.Node))
		return
	}
	member.node.Stop()
	_ = os.RemoveAll(member.options.Home)
	reply(c.host, command, Fields{"node": command.Node}, nil)
}

func (c *crowd) closeAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, member := range c.members {
		member.node.Stop()
	}
}
