/// Token text made safe to print: what has no shape of its own, or would turn the text around it, is spelt U+XXXX.
enum VisibleText {
    /// - Parameter asciiOnly: spell everything beyond ASCII too, for a font without it.
    static func make(_ text: String, asciiOnly: Bool) -> String {
        var visible = ""
        for scalar in text.unicodeScalars {
            if isVisible(scalar), scalar.isASCII || !asciiOnly {
                visible.unicodeScalars.append(scalar)
            } else {
                let hex = String(scalar.value, radix: 16, uppercase: true)
                visible += "U+" + String(repeating: "0", count: max(0, 4 - hex.count)) + hex
            }
        }
        return visible
    }

    private static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        // Format characters are the bidirectional controls, joiners and other things of no width.
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: false
        default: true
        }
    }

    /// The text as character data or an attribute's value of XML.
    static func escapedForXML(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
