public import CIntrinsics

/// Packs the weight `w` [n, k], rows `ldw` floats apart, into panels of f32, see `DenseKernels.pack`.
@export(implementation) @inline(__always)
public func packPanels<I: Instructions>(
    _: I.Type, _ w: UnsafePointer<Float>, _ ldw: Int, _ n: Int, _ k: Int, _ packed: UnsafeMutablePointer<Float>
) {
    let width = I.panelWidth
    var column = 0
    var panel = packed
    while column < n {
        let columns = min(width, n - column)
        if columns < width { panel.update(repeating: 0, count: k * width) }
        var j = 0
        while j + 4 <= columns {
            let rows = w + (column + j) * ldw
            var i = 0
            while i + 4 <= k {
                encoderd_transpose4(rows + i, ldw, panel + i * width + j, width)
                i += 4
            }
            while i < k {
                for r in 0..<4 { panel[i * width + j + r] = rows[r * ldw + i] }
                i += 1
            }
            j += 4
        }
        while j < columns {
            let row = w + (column + j) * ldw
            for i in 0..<k { panel[i * width + j] = row[i] }
            j += 1
        }
        panel += k * width
        column += width
    }
}
