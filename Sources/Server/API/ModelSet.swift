import Diagnostics
import Models

/// The loaded models, by name.
struct ModelSet: Sendable {
    let models: [Model]

    /// - Parameter name: The model's name; `nil` if the first model is meant.
    func find(_ name: String?, param: String? = "model") throws(APIError) -> (index: Int, model: Model) {
        let index = name.map { name in models.firstIndex { $0.name == name } } ?? (models.isEmpty ? nil : 0)
        guard let index else {
            let names = models.map { "'\($0.name)'" }.joined(separator: ", ")
            throw APIError(
                404, "model_not_found", param: param,
                "No model '\((name ?? "").excerpt())' is loaded; there is \(names.isEmpty ? "none" : names).")
        }
        return (index, models[index])
    }
}
