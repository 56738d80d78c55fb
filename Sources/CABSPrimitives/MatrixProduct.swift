import CDNN

/// C ← α op(A) op(B) + β C, by oneDNN: row-major, op(A) of m rows and k columns, op(B) of n columns; a stride
/// is the number of floats from one row to the next.
package func multiply(
    transposed: (Bool, Bool), _ size: (m: Int, n: Int, k: Int),
    _ a: UnsafePointer<Float>, _ strideA: Int, _ b: UnsafePointer<Float>, _ strideB: Int,
    _ c: UnsafeMutablePointer<Float>, _ strideC: Int, alpha: Float = 1, beta: Float = 0
) {
    func letter(_ transposed: Bool) -> CChar { CChar(UInt8(ascii: transposed ? "T" : "N")) }
    let status = dnnl_sgemm(
        letter(transposed.0), letter(transposed.1), dnnl_dim_t(size.m), dnnl_dim_t(size.n),
        dnnl_dim_t(size.k), alpha, a, dnnl_dim_t(strideA), b, dnnl_dim_t(strideB), beta, c,
        dnnl_dim_t(strideC))
    precondition(status == dnnl_success, "oneDNN failed to multiply matrices: status \(status.rawValue)")
}
