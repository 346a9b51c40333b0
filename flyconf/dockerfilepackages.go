package flyconf

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// dockerfileManager is how a command installs packages of the system.
type dockerfileManager struct {
	install []string // its verbs
	valued  []string // options whose value is the next word
}

var (
	dockerfileApt      = []string{"-t", "--target-release", "--default-release", "-o", "--option", "-c", "--config-file", "-a"}
	dockerfileManagers = map[string]dockerfileManager{
		"apt-get":  {[]string{"install"}, dockerfileApt},
		"apt":      {[]string{"install"}, dockerfileApt},
		"apk":      {[]string{"add"}, []string{"-t", "--virtual", "-X", "--repository", "-p", "--root", "--arch", "--keys-dir", "--repositories-file", "--cache-dir", "--cache-max-age"}},
		"dnf":      {[]string{"install"}, nil},
		"microdnf": {[]string{"install"}, nil},
		"yum":      {[]string{"install"}, nil},
		"zypper":   {[]string{"install", "in"}, []string{"-r", "--repo"}},
	}

	dockerfilePackage    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9+._-]*$`)
	dockerfileAssignment = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)

	// Words that a command may stand behind.
	dockerfilePrefixes = []string{"sudo", "env", "exec", "if", "then", "else", "elif", "do", "while", "!", "time", "command", "{"}
	dockerfileShells   = []string{"sh", "bash", "ash", "dash", "zsh"}
)

// installedPackages names the packages that a RUN installs with the package
// managers of the common distributions. It reads the text: what a script or a
// variable adds, it does not see, and what a condition leaves out, it does.
func installedPackages(in Instruction) []Setting {
	var out []Setting
	for _, words := range runCommands(in) {
		for _, name := range packagesOf(words) {
			out = append(out, Setting{Value: name, Known: true, Instruction: in})
		}
	}
	return out
}

// runCommands returns the commands of a RUN.
func runCommands(in Instruction) [][]string {
	if in.Exec != nil {
		if len(in.Exec) == 3 && slices.Contains(dockerfileShells, path.Base(in.Exec[0])) && strings.HasPrefix(in.Exec[1], "-") {
			return shellCommands(in.Exec[2])
		}
		return [][]string{in.Exec}
	}
	commands := shellCommands(in.Args)
	if len(in.Heredocs) == 0 {
		return commands
	}
	// A heredoc is a script where it is the whole RUN or is given to a shell,
	// and data for a program elsewhere.
	if first := dockerfileFields(in.Args)[0]; strings.HasPrefix(first, "<<") || slices.Contains(dockerfileShells, path.Base(first)) {
		for _, h := range in.Heredocs {
			commands = append(commands, shellCommands(h.Content)...)
		}
	}
	return commands
}

func packagesOf(words []string) []string {
	for len(words) > 0 && (slices.Contains(dockerfilePrefixes, words[0]) || dockerfileAssignment.MatchString(words[0])) {
		words = words[1:]
	}
	if len(words) == 0 {
		return nil
	}
	manager, ok := dockerfileManagers[path.Base(words[0])]
	if !ok {
		return nil
	}
	var names []string
	installs := false
	for i := 1; i < len(words); i++ {
		switch w := words[i]; {
		case slices.Contains(manager.valued, w):
			i++
		case strings.HasPrefix(w, "-"):
		case !installs:
			if !slices.Contains(manager.install, w) {
				return nil
			}
			installs = true
		case strings.ContainsAny(w, "<>") && strings.IndexAny(w, "<>") <= 1:
			// A redirection; its file may be the next word.
			if strings.HasSuffix(w, ">") || strings.HasSuffix(w, "<") {
				i++
			}
		case strings.Contains(w, "://"):
		default:
			// Without its version, release, architecture or repository.
			if j := strings.IndexAny(w, "=<>~:@"); j > 0 {
				w = w[:j]
			}
			if j := strings.IndexByte(w, '/'); j > 0 && dockerfilePackage.MatchString(w[:j]) {
				w = w[:j]
			}
			if dockerfilePackage.MatchString(w) {
				names = append(names, w)
			}
		}
	}
	return names
}

// shellCommands splits a script into simple commands, and these into words
// without their quotes. It knows no more of the language than that.
func shellCommands(script string) [][]string {
	var commands [][]string
	var words []string
	var word strings.Builder
	open := false // a word has begun, even if it is empty
	endWord := func() {
		if open {
			words = append(words, word.String())
		}
		word.Reset()
		open = false
	}
	endCommand := func() {
		endWord()
		if len(words) > 0 {
			commands = append(commands, words)
		}
		words = nil
	}
	var quote byte
	for i := 0; i < len(script); i++ {
		c := script[i]
		switch {
		case c == '\\' && quote != '\'' && i+1 < len(script):
			i++
			if script[i] == '\r' && i+1 < len(script) && script[i+1] == '\n' {
				i++
			}
			if script[i] != '\n' { // which only continues the line
				word.WriteByte(script[i])
				open = true
			}
		case quote != 0:
			if c == quote {
				quote = 0
			} else {
				word.WriteByte(c)
			}
		case c == '"' || c == '\'':
			quote, open = c, true
		case c == '#' && !open:
			for i+1 < len(script) && script[i+1] != '\n' {
				i++
			}
		case c == ' ' || c == '\t' || c == '\r':
			endWord()
		case strings.IndexByte("\n;&|()", c) >= 0:
			endCommand()
		default:
			word.WriteByte(c)
			open = true
		}
	}
	endCommand()
	return commands
}
