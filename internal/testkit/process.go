package testkit

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

const (
	engineStart   = 5 * time.Minute // until an engine says that it is ready
	engineRequest = 5 * time.Minute // for one answer
	engineStop    = 20 * time.Second
)

// engines holds the running processes of the test binary, by engine.
var engines = struct {
	sync.Mutex
	running map[string]*process
}{running: map[string]*process{}}

// process is one driver.py: requests go in and answers come out, a line of JSON each.
type process struct {
	mu     sync.Mutex // one request at a time
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	lines  chan []byte // closed when the process closes its output
	stderr *lastBytes
	broken error // set when the two sides may be out of step
}

// request is one line to driver.py, whose text says what is in it.
type request struct {
	Op    string `json:"op"`
	Table Table  `json:"-"`
	Truth string `json:"truth,omitempty"`
	Out   string `json:"out,omitempty"`
	SQL   string `json:"sql,omitempty"`
}

// reply is one line from driver.py.
type reply struct {
	Error string `json:"error"`
	Trace string `json:"trace"`
	raw   []byte
}

// MarshalJSON puts the table's parts beside the request's.
func (r request) MarshalJSON() ([]byte, error) {
	if s := r.Table.S3; s != nil && s.Region == "" {
		withRegion := *s
		withRegion.Region = "us-east-1"
		r.Table.S3 = &withRegion
	}
	type plain request
	return json.Marshal(struct {
		plain
		Table   string            `json:"table"`
		Ref     string            `json:"ref,omitempty"`
		Data    bool              `json:"data,omitempty"`
		S3      *S3               `json:"s3,omitempty"`
		Conf    map[string]string `json:"conf,omitempty"`
		Columns []string          `json:"columns,omitempty"`
		Ignore  []string          `json:"ignore,omitempty"`
		JSON    []string          `json:"json,omitempty"`
		Where   *Range            `json:"where,omitempty"`
		Bits    bool              `json:"bits,omitempty"`
	}{plain(r), r.Table.URI, r.Table.Ref, r.Table.Data, r.Table.S3, r.Table.Conf, r.Table.Columns, r.Table.Ignore, r.Table.JSON, r.Table.Where, r.Table.Bits})
}

// StopEngines ends the engines that this test binary started. A TestMain may call it; without it they end by themselves when
// the test binary does, as their standard input closes then.
func StopEngines() {
	engines.Lock()
	defer engines.Unlock()
	for name, p := range engines.running {
		p.stop()
		delete(engines.running, name)
	}
}

// process returns the engine's process, started if need be.
func (e *EngineSet) process(engine string) (*process, error) {
	engines.Lock()
	defer engines.Unlock()
	if p := engines.running[engine]; p != nil && p.broken == nil {
		return p, nil
	}
	module, settings, env, err := e.starting(engine)
	if err != nil {
		return nil, err
	}
	p, err := start(e.python, filepath.Join(e.scripts, "driver.py"), module, settings, env)
	if err != nil {
		return nil, fmt.Errorf("testkit: start %s: %w", engine, err)
	}
	engines.running[engine] = p
	return p, nil
}

// starting returns the module of driver.py that is the engine, its settings, and the environment that finds it.
func (e *EngineSet) starting(engine string) (module string, settings map[string]string, env []string, err error) {
	if !slices.Contains(Sparks, engine) {
		return engine, map[string]string{}, nil, nil
	}
	env, err = sparkEnv(e.tools, engine)
	return "spark", map[string]string{"jars": sparkJars(e.tools, engine)}, env, err
}

func start(python, script, module string, settings map[string]string, env []string) (*process, error) {
	p := &process{cmd: exec.Command(python, "-B", script, module), lines: make(chan []byte), stderr: &lastBytes{}}
	p.cmd.Stderr = p.stderr
	// A group of its own, so that a JVM goes with its Python.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Env = append(os.Environ(), "PYTHONHASHSEED=0", "TZ=UTC", "SPARK_LOCAL_IP=127.0.0.1", "PYSPARK_PYTHON="+python, "AWS_EC2_METADATA_DISABLED=true")
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.WaitDelay = engineStop
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.stdin = stdin
	go p.read(stdout)
	if _, err := p.converse(settings, engineStart); err != nil {
		p.kill()
		return nil, fmt.Errorf("%w\n%s", err, p.stderr.tail())
	}
	return p, nil
}

// read hands the process's lines on until it closes its output.
func (p *process) read(stdout io.Reader) {
	defer close(p.lines)
	r := bufio.NewReader(stdout)
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return
		}
		p.lines <- line
	}
}

// exchange sends a request and returns its answer. An error means that the process is of no use any more; the next test
// that asks gets a new one.
func (p *process) exchange(r request) (reply, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken != nil {
		return reply{}, p.broken
	}
	line, err := p.converse(r, engineRequest)
	if err != nil {
		p.broken = err
		p.kill()
		return reply{}, err
	}
	answer := reply{raw: line}
	return answer, json.Unmarshal(line, &answer)
}

func (p *process) converse(message any, patience time.Duration) ([]byte, error) {
	line, err := json.Marshal(message)
	if err != nil {
		return nil, err
	}
	if _, err := p.stdin.Write(append(line, '\n')); err != nil {
		return nil, err
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case answer, ok := <-p.lines:
		if !ok {
			return nil, errors.New("the process ended")
		}
		return answer, nil
	case <-timer.C:
		return nil, fmt.Errorf("no answer within %v", patience)
	}
}

// stop asks the process to end by closing its input, and ends it if it does not.
func (p *process) stop() {
	p.stdin.Close()
	timer := time.AfterFunc(engineStop, p.signal)
	defer timer.Stop()
	p.drain()
}

func (p *process) kill() {
	p.signal()
	p.drain()
}

// drain takes what is left of the output, so that read ends, and reaps the process.
func (p *process) drain() {
	for range p.lines {
	}
	_ = p.cmd.Wait() // the exit code of a process that was told to end says nothing
}

// signal ends the process's group, which is the process and what it started.
func (p *process) signal() { _ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) }

// lastBytes keeps the end of what is written to it.
type lastBytes struct {
	mu  sync.Mutex
	buf []byte
}

const keptBytes = 16 << 10

func (l *lastBytes) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = append(l.buf, b...)
	if over := len(l.buf) - keptBytes; over > 0 {
		l.buf = append(l.buf[:0], l.buf[over:]...)
	}
	return len(b), nil
}

func (l *lastBytes) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.buf)
}
