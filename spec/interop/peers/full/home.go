package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// prepare lets the node's program make a home and then changes what an interop test needs otherwise.
func prepare(o *options) error {
	var err error
	if o.listen, err = freeAddress(o.listen); err != nil {
		return err
	}
	if o.rpc, err = freeAddress(o.rpc); err != nil {
		return err
	}
	arguments := []string{"init", "--home", o.home}
	if o.line == "tm035" {
		arguments = []string{"init", "validator", "--home", o.home}
	}
	if output, err := exec.Command(o.binary, arguments...).CombinedOutput(); err != nil {
		return fmt.Errorf("init: %w: %s", err, output)
	}
	if err := setChain(filepath.Join(o.home, "config", "genesis.json"), o.chain); err != nil {
		return err
	}
	return configure(filepath.Join(o.home, "config", "config.toml"), o)
}

func freeAddress(listen string) (string, error) {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

var chainMember = regexp.MustCompile(`"chain_id":\s*"[^"]*"`)

func setChain(file, chain string) error {
	genesis, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if !chainMember.Match(genesis) {
		return fmt.Errorf("no chain_id in %s", file)
	}
	changed := chainMember.ReplaceAllLiteral(genesis, []byte(`"chain_id": `+strconv.Quote(chain)))
	return os.WriteFile(file, changed, 0o600)
}

// configure rewrites single settings. They are named with underscores here; tm035 writes hyphens.
func configure(file string, o *options) error {
	milliseconds := func(n int) string { return fmt.Sprintf(`"%dms"`, n) }
	settings := map[string]string{
		"proxy_app":                `"kvstore"`,
		"moniker":                  strconv.Quote(o.moniker),
		"log_level":                strconv.Quote(o.logLevel),
		"log_format":               `"json"`,
		"rpc.laddr":                strconv.Quote("tcp://" + o.rpc),
		"rpc.unsafe":               "true",
		"p2p.laddr":                strconv.Quote("tcp://" + o.listen),
		"p2p.persistent_peers":     strconv.Quote(o.persistent),
		"p2p.addr_book_strict":     "false",
		"p2p.allow_duplicate_ip":   "true",
		"p2p.pex":                  strconv.FormatBool(o.pex),
		"consensus.timeout_commit": milliseconds(o.commitMS),
		// The proposer is alone: these only matter if the machine is slow, and then short ones waste rounds.
		"consensus.timeout_propose": milliseconds(2000),
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	lines := strings.Split(string(content), "\n")
	section := ""
	for i, line := range lines {
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "[") {
			section = strings.Trim(trimmed, "[]") + "."
			continue
		}
		key, _, assigned := strings.Cut(trimmed, "=")
		if !assigned || strings.HasPrefix(trimmed, "#") {
			continue
		}
		key = strings.TrimSpace(key)
		name := section + strings.ReplaceAll(key, "-", "_")
		if value, wanted := settings[name]; wanted {
			lines[i] = key + " = " + value
			delete(settings, name)
		}
	}
	if len(settings) > 0 {
		return fmt.Errorf("%s has no settings for %v", file, settings)
	}
	return os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600)
}
