//! Whether carbon-run has rights that whoever started it has not.
#![expect(
    unsafe_code,
    reason = "the auxiliary vector has no safe wrapper in our crates"
)]

/// As the loader sees it, which then distrusts the environment (getauxval(3), `AT_SECURE`): file capabilities, or the
/// set-user-ID bit.
pub(super) fn is_privileged() -> bool {
    // SAFETY: the call takes a number and reads memory that the kernel set up for this process.
    let secure = unsafe { libc::getauxval(libc::AT_SECURE) };
    secure != 0
}
