#[napi_derive::napi]
pub fn nop() {}
