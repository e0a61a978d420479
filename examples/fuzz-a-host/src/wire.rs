//! Just enough HTTP/1.1 to send any bytes to a server on this machine and read its answer.

use lockstep_oauth::http::{HttpRequest, HttpResponse};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long a server may think.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends the request to `authority` (`127.0.0.1:8787`) on a connection of its own.
///
/// # Errors
/// What the connection says. A server that hangs up without an answer is an error, too.
pub fn exchange(authority: &str, request: &HttpRequest) -> io::Result<HttpResponse> {
    let mut stream = TcpStream::connect(authority)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut head = format!("{} {}", request.method, request.path).into_bytes();
    if !request.query.is_empty() {
        head.push(b'?');
        head.extend_from_slice(&request.query);
    }
    head.extend_from_slice(format!(" HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n").as_bytes());
    for (name, value) in &request.headers {
        head.extend_from_slice(name.as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value);
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(format!("Content-Length: {}\r\n\r\n", request.body.len()).as_bytes());
    stream.write_all(&head)?;
    stream.write_all(&request.body)?;
    read(&mut BufReader::new(stream), request.method == "HEAD")
}

fn read(from: &mut impl BufRead, is_head: bool) -> io::Result<HttpResponse> {
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, "no HTTP answer");
    let mut line = String::new();
    from.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(wrong)?;
    let mut response = HttpResponse::empty(status);
    loop {
        line.clear();
        if from.read_line(&mut line)? == 0 {
            return Err(wrong());
        }
        match line.trim_end().split_once(':') {
            Some((name, value)) => response.headers.push((name.to_owned(), value.trim().to_owned())),
            None => break,
        }
    }
    let length = response.header("content-length").and_then(|length| length.parse::<u64>().ok());
    if !is_head {
        from.take(length.unwrap_or(1 << 20)).read_to_end(&mut response.body)?;
    }
    Ok(response)
}
