//! Whose the time in interrupts is in the kernel's own accounts.

use std::fs;

/// Whether this kernel keeps interrupts out of what it charges to tasks and their groups (CONFIG_IRQ_TIME_ACCOUNTING). Where
/// it does not, the column `irq` of /proc/stat counts ticks that came inside a hard interrupt, of which there are next to none.
pub(crate) fn kernel_counts_interrupts() -> std::io::Result<bool> {
    /// Of proc(5)'s stat, the name of the line included.
    const IRQ: usize = 6;
    let text = fs::read_to_string("/proc/stat")?;
    let ticks = text
        .lines()
        .next()
        .and_then(|line| line.split_whitespace().nth(IRQ)?.parse::<f64>().ok());
    Ok(ticks.unwrap_or(0.0) > 100.0)
}
