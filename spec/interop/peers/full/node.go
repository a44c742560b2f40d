package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// How long a node may take to stop by itself.
const stopPatience = 10 * time.Second

type node struct {
	options *options
	process *exec.Cmd
	logFile string
	ended   chan struct{}
	state   error

	mu  sync.Mutex
	log *os.File
}

func start(o *options) (*node, error) {
	n := &node{options: o, logFile: filepath.Join(o.home, "node.log"), ended: make(chan struct{})}
	var err error
	if n.log, err = os.Create(n.logFile); err != nil {
		return nil, err
	}
	n.process = exec.Command(o.binary, "start", "--home", o.home)
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	n.process.Stdout, n.process.Stderr = writer, writer
	if err := n.process.Start(); err != nil {
		return nil, err
	}
	_ = writer.Close()
	logged := make(chan struct{})
	go func() {
		n.copyLog(reader)
		close(logged)
	}()
	go func() {
		n.state = n.process.Wait()
		<-logged
		close(n.ended)
	}()
	return n, nil
}

// refusals are texts by which a node logs, at any level, that it drops or refuses a peer.
var refusals = regexp.MustCompile(`(?i)stopping peer|peer failure|rejected|ignoring inbound|handshake failed|failed to (handshake|accept|dial)|` +
	`rate limiting|filtered by|dropping message|peer error|evicting peer|banned`)

// copyLog keeps the whole log in a file and reports the lines that speak of trouble.
func (n *node) copyLog(from io.Reader) {
	scanner := bufio.NewScanner(from)
	scanner.Buffer(make([]byte, 64<<10), 16<<20)
	for scanner.Scan() {
		n.mu.Lock()
		_, _ = n.log.Write(append(append([]byte(nil), scanner.Bytes()...), '\n'))
		n.mu.Unlock()
		entry := map[string]any{}
		if err := json.Unmarshal(scanner.Bytes(), &entry); err != nil {
			// A panic is not JSON.
			if text := scanner.Text(); strings.Contains(text, "panic") {
				emit("log", fields{"level": "panic", "message": text})
			}
			continue
		}
		message := firstText(entry, "_msg", "message", "msg")
		level := firstText(entry, "level")
		for _, name := range []string{"_msg", "message", "msg", "level", "ts", "time", "timestamp", "caller"} {
			delete(entry, name)
		}
		if level == "error" || level == "ERROR" || refusals.MatchString(message) {
			emit("log", fields{"level": strings.ToLower(level), "message": message, "fields": entry})
		}
	}
}

func firstText(entry map[string]any, names ...string) string {
	for _, name := range names {
		if text, ok := entry[name].(string); ok {
			return text
		}
	}
	return ""
}

// call asks the node's RPC server and returns the result member.
func (n *node) call(method string, parameters url.Values) (map[string]any, error) {
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Get("http://" + n.options.rpc + "/" + method + "?" + parameters.Encode())
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer := struct {
		Result map[string]any
		Error  map[string]any
	}{}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, err
	}
	if answer.Error != nil {
		return nil, fmt.Errorf("%v %v", answer.Error["message"], answer.Error["data"])
	}
	return answer.Result, nil
}

// watchBlocks says when the node answers and when it has made its first blocks.
func (n *node) watchBlocks() {
	ready, seen := false, int64(0)
	for seen < 3 {
		select {
		case <-n.ended:
			return
		case <-time.After(100 * time.Millisecond):
		}
		status, err := n.call("status", nil)
		if err != nil {
			continue
		}
		info, _ := status["node_info"].(map[string]any)
		sync, _ := status["sync_info"].(map[string]any)
		if !ready {
			ready = true
			emit("ready", fields{
				"line": n.options.line, "id": info["id"], "listen": n.options.listen, "rpc": n.options.rpc,
				"network": info["network"], "version": info["version"], "channels": info["channels"], "protocol": info["protocol_version"],
				"pid": n.process.Process.Pid, "log": n.logFile,
			})
		}
		text, _ := sync["latest_block_height"].(string)
		if height, _ := strconv.ParseInt(text, 10, 64); height > seen {
			seen = height
			emit("block", fields{"height": height, "hash": sync["latest_block_hash"]})
		}
	}
}

func (n *node) handle(c command) {
	answer := func(result any, err error) {
		line := fields{"command": c.Name, "ref": c.Ref, "ok": err == nil, "result": result}
		if err != nil {
			line["error"] = err.Error()
		}
		emit("reply", line)
	}
	switch c.Name {
	case "status", "net_info":
		result, err := n.call(c.Name, nil)
		answer(result, err)
	case "dial":
		if n.options.line == "tm035" {
			answer(nil, errors.New("tm035 has no RPC that dials: start it with --persistent"))
			return
		}
		result, err := n.call("dial_peers", url.Values{"peers": {`["` + c.Address + `"]`}, "persistent": {"false"}})
		answer(result, err)
	case "usage":
		result, err := n.usage()
		answer(result, err)
	case "log":
		result, err := n.search(c.Match)
		answer(result, err)
	default:
		answer(nil, fmt.Errorf("unknown command %q", c.Name))
	}
}

// search returns the last lines of the log that match.
func (n *node) search(expression string) ([]string, error) {
	pattern, err := regexp.Compile(expression)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	content, err := os.ReadFile(n.logFile)
	n.mu.Unlock()
	found := []string{}
	for line := range strings.SplitSeq(string(content), "\n") {
		if line != "" && pattern.MatchString(line) {
			found = append(found, line)
		}
	}
	return found[max(0, len(found)-100):], err
}

// usage reads memory and processor time from /proc, where there is one.
func (n *node) usage() (fields, error) {
	folder := fmt.Sprintf("/proc/%d/", n.process.Process.Pid)
	status, err := os.ReadFile(folder + "status")
	if err != nil {
		return nil, err
	}
	out := fields{}
	for line := range strings.SplitSeq(string(status), "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok && (name == "VmRSS" || name == "VmHWM" || name == "Threads") {
			out[name] = strings.TrimSpace(value)
		}
	}
	stat, err := os.ReadFile(folder + "stat")
	if columns := strings.Fields(string(stat)); err == nil && len(columns) > 14 {
		user, _ := strconv.Atoi(columns[13])
		system, _ := strconv.Atoi(columns[14])
		out["cpu_ticks"] = user + system
	}
	return out, err
}

func (n *node) stop() {
	_ = n.process.Process.Signal(syscall.SIGTERM)
	select {
	case <-n.ended:
	case <-time.After(stopPatience):
		_ = n.process.Process.Kill()
		<-n.ended
	}
}
