import { commandLine } from '../../system/quote.ts';

/** What a shell is given: the command `lab`, and what asks it for completions. */
type Script = (run: string) => string;

// What is typed is handed on as it is: no shell looks into it.
const bash: Script = (run) => `lab() { ${run} "$@"; }
_lab() {
  mapfile -t COMPREPLY < <(lab complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _lab lab
`;

const zsh: Script = (run) => `lab() { ${run} "$@"; }
_lab() {
  local -a found
  found=("\${(@f)$(lab complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${found[1]}" ]]; then compadd -a found; else _files; fi
}
compdef _lab lab
`;

const fish: Script = (run) => `function lab
  ${run} $argv
end
function __lab_candidates
  set -l words (commandline -opc)
  set -e words[1]
  set -l typed (commandline -ct)
  set -l found (lab complete -- $words "$typed" 2>/dev/null)
  if test -n "$found"
    printf '%s\\n' $found
  else
    __fish_complete_path "$typed"
  end
end
complete -c lab -f -a '(__lab_candidates)'
`;

const scripts: Readonly<Record<string, Script>> = { bash, zsh, fish };

/** The shells that completion can be made for. */
export const shells: readonly string[] = Object.keys(scripts);

/** What a shell reads to have the command `lab`, which runs `argv`, and to complete its words. */
export const completionScript = (shell: string, argv: readonly string[]): string =>
  scripts[shell]?.(commandLine(argv)) ?? '';
