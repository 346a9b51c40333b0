package scaffold

import (
	"fmt"
	"go/ast"
	"regexp"
	"strconv"
	"strings"
)

var (
	address = regexp.MustCompile(`^(|localhost|[0-9]+(?:\.[0-9]+){3}|\[[0-9a-f:]*\]):([1-9][0-9]{1,4})$`)
	// portNumber is a port alone, in a string.
	portNumber = regexp.MustCompile(`^[1-9][0-9]{1,4}$`)
	// portName names what holds a port.
	portName = regexp.MustCompile(`(?i)(port|addr|address|listen|bind)(#[0-9]+)?$`)
	// portVariable says what to listen on: a port, or else an address.
	portVariable    = regexp.MustCompile(`(^|_)PORT$`)
	addressVariable = regexp.MustCompile(`(^|_)(ADDR|ADDRESS|LISTEN|BIND)$`)
	// addressFlag names flags that say what to listen on.
	addressFlag = regexp.MustCompile(`^(http|listen|server|bind|web)?[-_.]?(addr|address|port|listen|bind|http)$`)
)

// inspectPort looks at a node for what the app listens on.
func (p *goFile) inspectPort(node ast.Node) {
	switch n := node.(type) {
	case *ast.AssignStmt:
		p.noteGin(n)
	case *ast.CallExpr:
		p.listensByFlag(n)
		p.listensByCall(n)
	case *ast.KeyValueExpr:
		if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Addr" {
			p.code.listens = append(p.code.listens, p.origin(n.Value))
		}
	case *ast.BasicLit:
		s := text(n)
		switch {
		case s == "PORT":
			p.readsPort("the app reads PORT", n)
		case address.MatchString(s):
			p.code.addresses = append(p.code.addresses, located{s, p.place(n)})
		}
	}
}

func (p *goFile) readsPort(reason string, at ast.Node) {
	if p.code.portRead == "" {
		p.code.portRead = reason + ", " + p.place(at)
	}
}

// listensByCall reads a call of a function that listens: http.ListenAndServe,
// net.Listen, and the Run, Start and Listen of frameworks.
func (p *goFile) listensByCall(n *ast.CallExpr) {
	recv, name := called(n)
	if name == "Run" && len(n.Args) == 0 && p.gins[recv] {
		p.readsPort("gin's Run() reads PORT", n)
	}
	listens := strings.HasPrefix(name, "Listen") || name == "Run" || name == "Start"
	switch {
	case strings.HasSuffix(name, "TLS") && (strings.HasPrefix(name, "Listen") || strings.HasPrefix(name, "Serve") || name == "RunTLS" || name == "StartTLS"):
		if p.code.tls == "" {
			p.code.tls = p.place(n)
		}
		listens = true
	case strings.HasPrefix(name, "ListenAndServe"), name == "Run", name == "Start":
		p.code.plain = true
	}
	if !listens {
		return
	}
	for i, arg := range n.Args {
		if lit, ok := arg.(*ast.BasicLit); ok && i == 0 && text(lit) == "unix" && p.code.unix == "" {
			p.code.unix = p.place(n)
		}
		p.code.listens = append(p.code.listens, p.origin(arg))
	}
}

// noteGin remembers r := gin.Default(): its Run() without an address reads PORT.
func (p *goFile) noteGin(n *ast.AssignStmt) {
	if len(n.Lhs) != 1 || len(n.Rhs) != 1 {
		return
	}
	call, ok := n.Rhs[0].(*ast.CallExpr)
	if !ok {
		return
	}
	if recv, name := called(call); recv == "gin" && (name == "Default" || name == "New") {
		p.gins[lastName(n.Lhs[0])] = true
	}
}

// listensByFlag reads the default of a flag such as flag.String("addr", ":3000", "")
// or flag.Int("port", 3000, "").
func (p *goFile) listensByFlag(call *ast.CallExpr) {
	_, name := called(call)
	if !flagFunc.MatchString(name) {
		return
	}
	named := false
	for _, arg := range call.Args {
		lit, ok := arg.(*ast.BasicLit)
		if !ok {
			continue
		}
		if !named {
			named = addressFlag.MatchString(text(lit))
			continue
		}
		for _, s := range []string{text(lit), ":" + text(lit), ":" + lit.Value} {
			if address.MatchString(s) {
				p.code.portFlags = append(p.code.portFlags, located{s, p.place(lit)})
				return
			}
		}
	}
}

// addPorts keeps what looks like a port or an address. A number alone is one only
// behind a name that says so.
func (r *resolver) addPorts(o origin, depth int, via string) {
	named := depth == 0 || portName.MatchString(via)
	for _, lit := range o.lits {
		switch {
		case address.MatchString(lit.text):
			r.ports = append(r.ports, lit)
		case named && portNumber.MatchString(lit.text):
			r.ports = append(r.ports, located{":" + lit.text, lit.place})
		}
	}
	if named {
		r.ports = append(r.ports, o.ports...)
	}
}

// listening is what an app listens on.
type listening struct {
	port     int
	reason   string // what decided it; empty where nothing did
	fromEnv  bool   // the environment does: PORT, or one of vars
	loopback bool
	vars     []string // variables beside PORT that it takes the port from
	notes    []string
}

// port finds out what the app listens on: PORT where it reads that, since fly.toml
// sets it, else a variable of its own, else the one port that the code has.
func (c *goCode) port() listening {
	l := listening{port: DefaultPort, notes: c.portNotes()}
	if c.portRead != "" {
		l.reason, l.fromEnv = c.portRead, true
		return l
	}
	direct, r := newResolver(c), newResolver(c)
	direct.depth = 0
	r.keeps = func(name string) bool { return portVariable.MatchString(name) || addressVariable.MatchString(name) }
	for _, o := range c.listens {
		direct.follow(o, 0, "")
		r.follow(o, 0, "")
	}
	vars := map[string]located{}
	for _, e := range r.envs {
		if e.text == "PORT" {
			l.reason, l.fromEnv = "the app reads PORT, "+e.place, true
			return l
		}
		if _, ok := vars[e.text]; !ok {
			vars[e.text] = e
		}
	}
	for name, e := range vars {
		if len(vars) == 1 && portVariable.MatchString(name) {
			l.reason, l.fromEnv, l.vars = fmt.Sprintf("the app reads %s, %s", name, e.place), true, []string{name}
			return l
		}
	}
	for _, list := range [][]located{append(direct.ports, c.portFlags...), r.ports, c.addresses} {
		if onePort(list, &l); l.reason != "" {
			return l
		}
	}
	for name, e := range vars {
		if len(vars) == 1 && addressVariable.MatchString(name) {
			l.notes = append(l.notes, fmt.Sprintf("the app listens on what %s says (%s): set it in [env], %s = \":%d\"", name, e.place, name, l.port))
		}
	}
	return l
}

// onePort takes a port over where all of the list have the same.
func onePort(list []located, l *listening) {
	port, reason, loopback := 0, "", true
	for _, at := range list {
		m := address.FindStringSubmatch(at.text)
		n, err := strconv.Atoi(m[2])
		if err != nil || n > 65535 {
			continue
		}
		if port != 0 && port != n {
			return
		}
		if port == 0 {
			port, reason = n, fmt.Sprintf("the code has %q, %s", at.text, at.place)
		}
		loopback = loopback && (m[1] == "localhost" || m[1] == "[::1]" || strings.HasPrefix(m[1], "127."))
	}
	if port != 0 {
		l.port, l.reason, l.loopback = port, reason, loopback
	}
}

// portNotes say what Fly's proxy cannot reach.
func (c *goCode) portNotes() []string {
	var list []string
	if c.tls != "" && !c.plain {
		list = append(list, fmt.Sprintf("the app serves TLS by itself (%s): Fly's proxy does that, and speaks plain HTTP to the app; have it listen without TLS", c.tls))
	}
	if c.unix != "" {
		list = append(list, fmt.Sprintf("the app listens on a Unix socket (%s), which Fly's proxy cannot reach: have it listen on a port", c.unix))
	}
	return list
}
