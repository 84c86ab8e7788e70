//! Task storage (`BPF_MAP_TYPE_TASK_STORAGE`, for tracing programs since Linux 5.12), for which aya-ebpf has no type.

use aya_ebpf::bindings::{BPF_F_NO_PREALLOC, BPF_LOCAL_STORAGE_GET_F_CREATE, bpf_map_type, task_struct};
use aya_ebpf::helpers::generated::bpf_task_storage_get;

/// A map definition: the loader reads type, key, value and sizes from the BTF of this struct's fields, which are never
/// dereferenced.
#[repr(C)]
pub struct TaskStorage<T> {
    r#type: *const [i32; bpf_map_type::BPF_MAP_TYPE_TASK_STORAGE as usize],
    key: *const i32,
    value: *const T,
    max_entries: *const [i32; 0],
    map_flags: *const [i32; BPF_F_NO_PREALLOC as usize],
}

// SAFETY: the fields are null for ever; the kernel synchronises the storage behind the map.
unsafe impl<T> Sync for TaskStorage<T> {}

impl<T> TaskStorage<T> {
    pub const fn new() -> Self {
        Self {
            r#type: core::ptr::null(),
            key: core::ptr::null(),
            value: core::ptr::null(),
            max_entries: core::ptr::null(),
            map_flags: core::ptr::null(),
        }
    }

    /// The task's value, where it has one.
    ///
    /// Before Linux 6.2 the helper also says no while this CPU is inside another task-storage operation
    /// (`bpf_task_storage_trylock`); since then a look-up always answers (`bpf_task_storage_get_recur`).
    #[inline(always)]
    pub fn get(&self, task: *mut task_struct) -> Option<*mut T> {
        // SAFETY: the verifier has proved `task` to be a trusted pointer and `self` to be this map.
        let value = unsafe { bpf_task_storage_get(self.as_ptr(), task, core::ptr::null_mut(), 0) };
        if value.is_null() { None } else { Some(value.cast()) }
    }

    /// Gives the task a value; `None` when the kernel has no memory for it.
    #[inline(always)]
    pub fn put(&self, task: *mut task_struct, value: &mut T) -> Option<*mut T> {
        // SAFETY: as in `get`; `value` is a live stack slot of the map's value size.
        let stored = unsafe {
            bpf_task_storage_get(
                self.as_ptr(),
                task,
                core::ptr::from_mut(value).cast(),
                BPF_LOCAL_STORAGE_GET_F_CREATE as u64,
            )
        };
        if stored.is_null() {
            None
        } else {
            Some(stored.cast())
        }
    }

    #[inline(always)]
    fn as_ptr(&self) -> *mut core::ffi::c_void {
        core::ptr::from_ref(self).cast_mut().cast()
    }
}
