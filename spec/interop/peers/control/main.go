package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
)

// Main runs the program of a line and returns its exit code.
func Main(line Line) int {
	options, err := parseOptions(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	host, err := newHost(os.Stdout, options.LogLevel)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	if options.temporary {
		defer os.RemoveAll(options.Home)
	}
	strictMessages = options.Codec == "bytesvalue"
	run := runPeer
	switch {
	case options.Raw:
		run = runRaw
	case options.Crowd:
		run = runCrowd
	}
	if err := run(line, options, host); err != nil {
		host.Emit("fatal", Fields{"error": err.Error()})
		return 1
	}
	return 0
}

// Command is one line of standard input. Which members matter depends on the name; README lists them.
type Command struct {
	Name string `json:"command"`
	Ref  any    `json:"ref"`
	Node int    `json:"node"`

	Address  string `json:"address"`
	ID       string `json:"id"`
	To       string `json:"to"`
	Channel  int    `json:"channel"`
	Channels []int  `json:"channels"`
	On       *bool  `json:"on"`
	MS       int    `json:"ms"`

	Size     int     `json:"size"`
	Hex      *string `json:"hex"`
	Fill     string  `json:"fill"`
	Seed     uint32  `json:"seed"`
	Count    int     `json:"count"`
	Interval int     `json:"interval_ms"`

	rawCommand
}

// on is true unless the command says "on": false.
func (c *Command) on() bool { return c.On == nil || *c.On }

// readCommands calls handle for each line until standard input ends or handle returns false.
func readCommands(host *Host, handle func(command *Command) bool) error {
	scanner := bufio.NewScanner(os.Stdin)
	scanner.Buffer(make([]byte, 64<<10), 64<<20)
	for scanner.Scan() {
		if len(scanner.Bytes()) == 0 {
			continue
		}
		command := &Command{}
		if err := json.Unmarshal(scanner.Bytes(), command); err != nil {
			host.Emit("error", Fields{"error": "bad command: " + err.Error()})
			continue
		}
		if !handle(command) {
			return nil
		}
	}
	return scanner.Err()
}

// reply answers a command. Every command has exactly one reply.
func reply(host *Host, command *Command, fields Fields, err error) {
	line := Fields{"command": command.Name, "ok": err == nil}
	if command.Ref != nil {
		line["ref"] = command.Ref
	}
	for name, value := range fields {
		line[name] = value
	}
	if err != nil {
		line["error"] = err.Error()
	}
	host.Emit("reply", line)
}
