//! A program without std that uses the core: it links only if no dependency brings std along.
#![no_std]

extern crate alloc;

use core::alloc::{GlobalAlloc, Layout};

struct None;

// SAFETY: it never gives memory out. Nothing here runs.
unsafe impl GlobalAlloc for None {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: None = None;

#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// Reaches every dependency of the core.
#[unsafe(no_mangle)]
pub extern "C" fn entry(length: usize) -> bool {
    use lockstep_oauth::authorization_server::{AuthorizationServer, config::Config};
    use lockstep_oauth::{env::Env, exchange::Step, http::HttpRequest, keys::KeyRing};
    let text = alloc::string::String::with_capacity(length);
    let (Ok(config), Ok(ring)) = (Config::parse(&text), KeyRing::parse(&text, "keys")) else { return false };
    let (Ok(server), Some(env)) = (AuthorizationServer::new(config, ring), Env::new(1, [1; 32])) else { return false };
    matches!(server.handle(HttpRequest::default(), env), Step::Done(_))
}
