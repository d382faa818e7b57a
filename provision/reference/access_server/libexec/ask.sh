# Sourced by programs that ask the running service instead of starting an interpreter: on emulated
# guests that takes seconds. Wants $socket; see openvpnas.control for what is said.
#
#   ask PROGRAM WORD...   sets $verdict and $text; sends $value too where it is set
#     0  it answered
#     1  there is none to ask: nothing has been done
#     2  it ended before it answered: whether anything was done is not known
newline='
'
ask() {
    [ -S "$socket" ] || return 1
    program=$1
    shift
    # words go by standard input: no process list shows them
    text=$(
        {
            printf '%s\0' "$#" "$@"
            [ -z "${value+set}" ] || printf 'v%s' "$value"
        } 2>/dev/null | curl -q -s --noproxy '*' --unix-socket "$socket" -H 'Expect:' -H 'Content-Type:' \
            --data-binary @- "http://localhost/$program"
    )
    case $? in
    0) ;;
    2 | 7 | 126 | 127) return 1 ;; # a curl that can't, no service behind the socket, no curl
    *) return 2 ;;
    esac
    verdict=${text%%"$newline"*}
    text=${text#*"$newline"}
    text=${text%.} # it keeps the text's last line breaks from $(...)
}
