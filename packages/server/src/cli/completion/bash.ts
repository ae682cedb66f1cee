/** The completion script for bash: one table of what fits where, and a function that looks it up. */

import type { Place } from "./grammar.ts";

export function bashScript(places: readonly Place[]): string {
  const commands = places.map((place) =>
    entry(
      place,
      place.commands.map(({ name }) => name),
    ),
  );
  const options = places.map((place) =>
    entry(
      place,
      place.options.flatMap(({ names }) => names),
    ),
  );
  const choices = places.filter((place) => place.choices.length > 0).map((place) => entry(place, place.choices));
  return `# Completion of fanfare for bash. To have it in this shell: source <(fanfare completion bash)
# To have it in every shell: fanfare completion bash > ~/.local/share/bash-completion/completions/fanfare

_fanfare_commands() {
  case "$1" in
${commands.join("\n")}
  esac
}

_fanfare_options() {
  case "$1" in
${options.join("\n")}
  esac
}

_fanfare_choices() {
  case "$1" in
${choices.join("\n")}
  esac
}

# What the option takes: a word of a list, a file, or something that nobody can guess.
_fanfare_value() {
  case "$1 $2" in
${values(places).join("\n")}
    *) return 1 ;;
  esac
}

${FUNCTION}`;
}

const FUNCTION = `_fanfare() {
  local current="\${COMP_WORDS[COMP_CWORD]}" before="" place="fanfare" index word value
  [ "$COMP_CWORD" -gt 0 ] && before="\${COMP_WORDS[COMP_CWORD-1]}"
  COMPREPLY=()
  # Bash takes the = of --option=value for a word.
  if [ "$current" = "=" ]; then
    current=""
  elif [ "$before" = "=" ] && [ "$COMP_CWORD" -gt 1 ]; then
    before="\${COMP_WORDS[COMP_CWORD-2]}"
  fi
  for ((index = 1; index < COMP_CWORD; index++)); do
    word="\${COMP_WORDS[index]}"
    case " $(_fanfare_commands "$place" | tr '\\n' ' ') " in
      *" $word "*) place="$place $word" ;;
    esac
  done
  case "$before" in
    -*)
      if value="$(_fanfare_value "$place" "$before")"; then
        case "$value" in
          "<file>") COMPREPLY=($(compgen -f -- "$current")); compopt -o filenames 2>/dev/null ;;
          "<something>") ;;
          *) COMPREPLY=($(compgen -W "$value" -- "$current")) ;;
        esac
        return 0
      fi
      ;;
  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$(_fanfare_options "$place")" -- "$current")) ;;
    *) COMPREPLY=($(compgen -W "$(_fanfare_commands "$place") $(_fanfare_choices "$place")" -- "$current")) ;;
  esac
  return 0
}

complete -F _fanfare fanfare
`;

function entry({ words }: Place, completions: readonly string[]): string {
  return `    ${quoted(nameOf(words))}) echo ${quoted(completions.join(" "))} ;;`;
}

function values(places: readonly Place[]): string[] {
  return places.flatMap(({ words, options }) =>
    options
      .filter(({ takes }) => takes !== "nothing")
      .flatMap(({ names, takes, choices }) => {
        const value = takes === "one of" ? choices.join(" ") : `<${takes}>`;
        return [`    ${names.map((name) => quoted(`${nameOf(words)} ${name}`)).join("|")}) echo ${quoted(value)} ;;`];
      }),
  );
}

export function nameOf(words: readonly string[]): string {
  return ["fanfare", ...words].join(" ");
}

export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
