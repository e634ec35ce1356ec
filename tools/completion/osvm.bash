# Completion of osvm's commands, options, plugin names and files, for bash.
#
# Commands and options are read from `osvm --help` and `osvm help COMMAND`, names of plugins from
# `osvm plugins`: what the program on the PATH offers is what is completed.

# Options in a help text, `--name` or `--name=`, the latter where a value has to follow.
_osvm_options() {
    sed -nE 's/^  (--[a-z-]+)(\[?=)?.*/\1\2/p' | sed 's/\[=$//'
}

_osvm_plugin_names() { # program, kind
    "$1" plugins 2>/dev/null | awk -v kind="$2" '$1 == kind && $2 != "shim" {print $2; print $2 ":checked"}' |
        sort -u
}

_osvm() {
    local word=$2 program=${COMP_WORDS[0]} command= i
    local commands
    # A word with `=` in it comes in pieces.
    local before=${COMP_WORDS[COMP_CWORD - 1]} option=
    if [[ $word == '=' ]]; then
        option=$before word=
    elif [[ $before == '=' ]]; then
        option=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $option in
    --core | --mm | --gc | --jit | --cpu)
        mapfile -t COMPREPLY < <(compgen -W "$(_osvm_plugin_names "$program" "${option#--}")" -- "$word")
        return
        ;;
    --bits) mapfile -t COMPREPLY < <(compgen -W '64 32' -- "$word") && return ;;
    --world) mapfile -t COMPREPLY < <(compgen -W 'live muted denied faulty' -- "$word") && return ;;
    --log) mapfile -t COMPREPLY < <(compgen -W 'error warning info debug' -- "$word") && return ;;
    esac

    commands=$("$program" --help 2>/dev/null | awk '/^Commands:/ {on = 1; next} /^$/ {on = 0} on {print $1}')
    for ((i = 1; i < COMP_CWORD; i++)); do
        if [[ " ${commands//$'\n'/ } " == *" ${COMP_WORDS[i]} "* ]]; then
            command=${COMP_WORDS[i]}
            break
        fi
    done
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$({
            "$program" --help
            [[ $command ]] && "$program" help "$command"
        } 2>/dev/null | _osvm_options)" -- "$word")
        [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
    elif [[ $command == help ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        [[ $command ]] || mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$commands" -- "$word")
    fi
}
complete -o filenames -F _osvm osvm
