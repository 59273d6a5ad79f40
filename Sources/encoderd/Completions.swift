import ArgumentParser

/// Completions of arguments that the shells cannot complete by themselves.
enum Completions {
    /// Directories behind the `NAME=` of `NAME=DIRECTORY`, or without a name.
    static let namedDirectory = CompletionKind.custom { _, _, prefix in
        let named = prefix.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let start = named.count == 2 && !named[0].contains("/") ? named[0] + "=" : ""
        return directories(String(prefix.dropFirst(start.count))).map { start + $0 + "/" }
    }

    /// Returns the directories whose path begins like this.
    private static func directories(_ path: String) -> [String] {
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
        let name = path.dropFirst(folder.count)
        return (Paths.entries(of: folder.isEmpty ? "." : folder) ?? [])
            .filter { $0.hasPrefix(name) && (!$0.hasPrefix(".") || name.hasPrefix(".")) }
            .map { folder + $0 }.filter(Paths.isDirectory)
    }

    /// Returns the completion script of the argument parser. For bash it adds a function, since bash cuts words at an equals
    /// sign and the parser's script does not see what precedes one.
    static func script(_ text: String) -> String {
        let registration = "complete -o filenames -F _encoderd encoderd"
        guard text.hasSuffix(registration) else { return text }
        return text.dropLast(registration.count) + """
            # Completes what follows the equals sign of NAME=DIRECTORY and of --option=PATH.
            _encoderd_words() {
                local cur="${2}"
                if [[ "${cur}" == "=" ]]; then
                    cur=""
                elif [[ "${3}" != "=" ]]; then
                    _encoderd "${@}"
                    return
                fi
                local kind="-d"
                case "${COMP_LINE%"${cur}"}" in
                *--tls-cert=|*--tls-key=|*--tls-client-ca=|*--api-key-file=|*--text=|*--tokenizer=)
                    kind="-f"
                    ;;
                esac
                COMPREPLY=()
                local path
                while IFS='' read -r path; do
                    COMPREPLY+=("${path}")
                done < <(compgen "${kind}" -- "${cur}")
            }

            complete -o filenames -F _encoderd_words encoderd
            """
    }
}
