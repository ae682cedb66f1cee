/** The completion script for zsh: the same table, with a sentence beside each word. */

import { nameOf, quoted } from "./bash.ts";
import type { Choice, Place } from "./grammar.ts";

export function zshScript(places: readonly Place[]): string {
  return `#compdef fanfare
# Completion of fanfare for zsh. To have it in this shell: source <(fanfare completion zsh)
# To have it in every shell: fanfare completion zsh > a file called _fanfare in a folder of $fpath

_fanfare_commands() {
  case "$1" in
${places.map((place) => entry(place, place.commands.map(described))).join("\n")}
  esac
}

_fanfare_options() {
  case "$1" in
${places.map((place) => entry(place, place.options.flatMap(namesOf))).join("\n")}
  esac
}

_fanfare_choices() {
  case "$1" in
${places.map((place) => entry(place, place.choices)).join("\n")}
  esac
}

_fanfare_value() {
  case "$1 $2" in
${places.flatMap(values).join("\n")}
    *) return 1 ;;
  esac
}

${FUNCTION}`;
}

const FUNCTION = `_fanfare() {
  local place="fanfare" word name before="\${words[CURRENT-1]}"
  local -a found reply
  for word in "\${(@)words[2,CURRENT-1]}"; do
    reply=()
    _fanfare_commands "$place"
    for name in "\${(@)reply}"; do
      [[ "\${name%%:*}" == "$word" ]] && place="$place $word" && break
    done
  done
  reply=()
  if [[ "$before" == -* ]] && _fanfare_value "$place" "$before"; then
    case "\${reply[1]}" in
      "<file>") _files ;;
      "<something>") _message "a value" ;;
      *) compadd -a reply ;;
    esac
    return
  fi
  if [[ "\${words[CURRENT]}" == -* ]]; then
    _fanfare_options "$place"
    _describe -o option reply
    return
  fi
  _fanfare_commands "$place"
  found=("\${(@)reply}")
  reply=()
  _fanfare_choices "$place"
  found+=("\${(@)reply}")
  _describe command found
}

# Loaded from $fpath it is the completion itself; sourced it has to be announced.
if [ "$funcstack[1]" = "_fanfare" ]; then
  _fanfare "$@"
else
  compdef _fanfare fanfare
fi
`;

function entry({ words }: Place, completions: readonly string[]): string {
  return `    ${quoted(nameOf(words))}) reply=(${completions.map(quoted).join(" ")}) ;;`;
}

function namesOf(option: Choice): string[] {
  return option.names.map((name) => described({ name, says: option.says }));
}

/** `word:sentence`, where a colon in the word itself is escaped. */
function described({ name, says }: { readonly name: string; readonly says: string }): string {
  return `${name.replaceAll(":", "\\:")}:${says}`;
}

function values({ words, options }: Place): string[] {
  return options
    .filter(({ takes }) => takes !== "nothing")
    .map(({ names, takes, choices }) => {
      const value = takes === "one of" ? choices : [`<${takes}>`];
      const patterns = names.map((name) => quoted(`${nameOf(words)} ${name}`)).join("|");
      return `    ${patterns}) reply=(${value.map(quoted).join(" ")}) ;;`;
    });
}
