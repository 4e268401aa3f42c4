# moth.bash -- what bash offers behind `moth`: subcommands, options, and what belongs behind those.
#
# The commands of a node, for `moth do`, are put in when this file is installed, from the tables of lua/moth/.
# shellcheck shell=bash

# Words to choose from; `moth` itself takes care of what is wrong.
_moth_words() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

_moth_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen "$1" -- "$2")
}

# What belongs behind an option that takes a value; fails behind all others.
_moth_value() {
    case $1 in
    --home) _moth_files -d "$2" ;;
    --load | --network) _moth_files -f "$2" ;;
    --color) _moth_words "auto on off" "$2" ;;
    --log) _moth_words "debug info warn error" "$2" ;;
    --listen | --advertise) _moth_words "none 127.0.0.1 0.0.0.0" "$2" ;;
    --name | --connect | --ttl | --retries | --limit) COMPREPLY=() ;;
    *) return 1 ;;
    esac
}

_moth() {
    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} sub="" command="" i
    local node="--home --name --listen --connect --load --network --open --no-open --advertise --ttl --retries"
    node+=" --color --light --no-light --log --limit --help --version"
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --home | --name | --listen | --connect | --load | --network | --advertise | --ttl | --retries | --color | \
            --log | --limit | --seed | --seeds | --only | --jobs) [[ -n $command ]] || i=$((i + 1)) ;;
        -*) ;;
        *) if [[ -z $sub ]]; then sub=${COMP_WORDS[i]}; else command=${COMP_WORDS[i]}; fi ;;
        esac
    done
    if [[ $sub == "do" && -n $command ]]; then
        _moth_files -f "$current"
        return
    fi
    if _moth_value "$before" "$current"; then return; fi
    case $sub in
    "") _moth_words "run attach do lab join doctor config help $node" "$current" ;;
    run) if [[ $current == -* ]]; then _moth_words "$node" "$current"; else _moth_files -f "$current"; fi ;;
    join) _moth_words "$node" "$current" ;;
    attach) _moth_words "--home --color --help" "$current" ;;
    do) _moth_words "@COMMANDS@ --home --json --help" "$current" ;;
    doctor) _moth_words "--home --listen --network --open --no-open --help" "$current" ;;
    lab)
        if [[ $current == -* ]]; then
            _moth_words "--seed --seeds --only --jobs --check-determinism --help" "$current"
        else
            _moth_files -f "$current"
        fi
        ;;
    config) _moth_words "--home --help" "$current" ;;
    help) _moth_words "run attach do lab join doctor config" "$current" ;;
    esac
}

complete -F _moth moth
