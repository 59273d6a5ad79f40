/// A writer of the text exposition format 0.0.4
/// (https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format).
struct PrometheusText {
    private(set) var text = ""

    mutating func family(_ name: String, _ type: String, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    mutating func sample(_ name: String, _ labels: [(String, String)] = [], _ value: Double) {
        text += name + PrometheusText.labels(labels) + " \(PrometheusText.number(value))\n"
    }

    mutating func histogram(
        _ name: String, _ labels: [(String, String)], _ histogram: Metrics.Histogram, _ bounds: [Double]
    ) {
        var total = 0
        for (count, bound) in zip(histogram.counts, bounds.map(PrometheusText.number) + ["+Inf"]) {
            total += count
            sample(name + "_bucket", labels + [("le", bound)], Double(total))
        }
        sample(name + "_sum", labels, histogram.sum)
        sample(name + "_count", labels, Double(total))
    }

    private static func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : value.description
    }

    private static func labels(_ labels: [(String, String)]) -> String {
        guard !labels.isEmpty else { return "" }
        let pairs = labels.map { name, value in
            // By scalar: a quote with a combining mark is one Character, as are CR and LF.
            var escaped = String.UnicodeScalarView()
            for scalar in value.unicodeScalars {
                switch scalar {
                case "\\": escaped.append(contentsOf: "\\\\".unicodeScalars)
                case "\"": escaped.append(contentsOf: "\\\"".unicodeScalars)
                case "\n": escaped.append(contentsOf: "\\n".unicodeScalars)
                default: escaped.append(scalar)
                }
            }
            return "\(name)=\"\(String(escaped))\""
        }
        return "{" + pairs.joined(separator: ",") + "}"
    }
}
