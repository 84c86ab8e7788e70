//! The client, by ureq and rustls.

use super::{Answer, HttpError, LARGEST_ANSWER, Method, Request, tellable};
use std::time::Duration;
use ureq::config::AutoHeaderValue;
use ureq::http;
use ureq::tls::{RootCerts, TlsConfig};

/// Makes requests. One for several keeps the connection.
#[derive(Debug)]
pub struct Client {
    agent: ureq::Agent,
    timeout: Duration,
}

impl Client {
    /// One whose requests end after `timeout`, whatever they wait for.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        Self::with(timeout, true)
    }

    /// The same without a proxy, for an address that only this machine's link has.
    #[must_use]
    pub fn direct(timeout: Duration) -> Self {
        Self::with(timeout, false)
    }

    fn with(timeout: Duration, proxied: bool) -> Self {
        let own_roots = ["SSL_CERT_FILE", "SSL_CERT_DIR"]
            .iter()
            .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
        let roots = if own_roots {
            RootCerts::PlatformVerifier
        } else {
            RootCerts::WebPki
        };
        let mut config = ureq::Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .user_agent(AutoHeaderValue::from(concat!(
                "carbon-run/",
                env!("CARGO_PKG_VERSION")
            )));
        if !proxied {
            config = config.proxy(None);
        }
        let config = config.build();
        Self {
            agent: config.new_agent(),
            timeout,
        }
    }

    /// Makes a request and reads its answer, whatever its status.
    ///
    /// # Errors
    /// When the address or a header is none, when there is no answer in time, or one that is too large.
    pub fn send(&self, request: &Request<'_>) -> Result<Answer, HttpError> {
        let address = || tellable(request.url);
        let method = match request.method {
            Method::Get => http::Method::GET,
            Method::Post => http::Method::POST,
            Method::Put => http::Method::PUT,
            Method::Delete => http::Method::DELETE,
        };
        let uri: http::Uri = request
            .url
            .parse()
            .map_err(|_| HttpError::Address { address: address() })?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(HttpError::Address { address: address() });
        }
        let mut message = http::Request::builder().method(method).uri(uri);
        for (name, value) in request.headers {
            let value = http::HeaderValue::from_str(value).map_err(|_| HttpError::Header {
                name: (*name).to_owned(),
            })?;
            message = message.header(*name, value);
        }
        let bad = |_| HttpError::Address { address: address() };
        let answer = match request.method {
            Method::Get | Method::Delete => self.agent.run(message.body(()).map_err(bad)?),
            Method::Post | Method::Put => self.agent.run(message.body(request.body).map_err(bad)?),
        };
        let mut answer = answer.map_err(|error| self.failed(request, error))?;
        let retry_after = answer
            .headers()
            .get(http::header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        let body = answer
            .body_mut()
            .with_config()
            .limit(LARGEST_ANSWER)
            .read_to_vec()
            .map_err(|error| self.failed(request, error))?;
        Ok(Answer {
            status: answer.status().as_u16(),
            retry_after,
            body,
        })
    }

    fn failed(&self, request: &Request<'_>, error: ureq::Error) -> HttpError {
        let address = tellable(request.url);
        if matches!(error, ureq::Error::Timeout(_)) {
            let timeout = self.timeout;
            return HttpError::TimedOut { address, timeout };
        }
        if matches!(error, ureq::Error::BodyExceedsLimit(_)) {
            return HttpError::TooLarge { address };
        }
        let reason = error.to_string();
        HttpError::Unreachable { address, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::thread::JoinHandle;

    /// A server of one answer: its address, and what it was asked.
    fn server(answer: impl FnOnce(&mut TcpStream) + Send + 'static) -> (String, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let served = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            let mut byte = [0];
            while !asked.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                asked.push(byte[0]);
            }
            let asked = String::from_utf8(asked).unwrap();
            let length = asked.lines().find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length: ")?
                    .parse()
                    .ok()
            });
            let mut body = vec![0; length.unwrap_or(0)];
            stream.read_exact(&mut body).unwrap();
            answer(&mut stream);
            asked + &String::from_utf8(body).unwrap()
        });
        (address, served)
    }

    fn get(url: &str) -> Request<'_> {
        Request {
            method: Method::Get,
            url,
            headers: &[("auth-token", "s3cret")],
            body: b"",
        }
    }

    #[test]
    fn a_request_says_who_asks_and_any_status_is_an_answer() {
        let (url, served) = server(|stream| {
            stream
                .write_all(
                    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nslow",
                )
                .unwrap();
        });
        let answer = Client::new(Duration::from_secs(10)).send(&get(&url)).unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (429, &b"slow"[..]));
        assert_eq!(answer.retry_after, Some(Duration::from_secs(7)));
        assert!(!answer.is_success());
        let asked = served.join().unwrap();
        assert!(asked.contains("auth-token: s3cret"), "{asked}");
        assert!(asked.contains("user-agent: carbon-run/"), "{asked}");
    }

    #[test]
    fn a_body_arrives_as_it_is() {
        let (url, served) = server(|stream| {
            stream
                .write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
                .unwrap();
        });
        let request = Request {
            method: Method::Post,
            url: &url,
            headers: &[("content-type", "application/json")],
            body: b"{\"a\":1}",
        };
        assert!(
            Client::new(Duration::from_secs(10))
                .send(&request)
                .unwrap()
                .is_success()
        );
        let asked = served.join().unwrap();
        assert!(
            asked.starts_with("POST / ") && asked.ends_with("{\"a\":1}"),
            "{asked}"
        );
    }

    #[test]
    fn a_redirect_is_not_followed() {
        let (url, served) = server(|stream| {
            stream
                .write_all(
                    b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
                )
                .unwrap();
        });
        let answer = Client::new(Duration::from_secs(10)).send(&get(&url)).unwrap();
        assert_eq!(answer.status, 302);
        served.join().unwrap();
    }

    #[test]
    fn a_server_that_says_nothing_costs_the_limit_and_no_more() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v3?token=s3cret", listener.local_addr().unwrap());
        let error = Client::new(Duration::from_millis(50))
            .send(&get(&url))
            .unwrap_err();
        assert!(matches!(error, HttpError::TimedOut { .. }), "{error}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }

    #[test]
    fn an_answer_without_end_is_cut_off() {
        let (url, served) = server(|stream| {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            let block = [b' '; 65536];
            while stream.write_all(&block).is_ok() {}
        });
        let error = Client::new(Duration::from_secs(30)).send(&get(&url)).unwrap_err();
        assert!(matches!(error, HttpError::TooLarge { .. }), "{error}");
        served.join().unwrap();
    }

    #[test]
    fn what_cannot_be_asked_is_told_without_secrets() {
        let client = Client::new(Duration::from_secs(10));
        let closed = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            format!("http://{}/?k=s3cret", listener.local_addr().unwrap())
        };
        for url in ["ftp://host/?k=s3cret", "not an address", closed.as_str()] {
            let told = client.send(&get(url)).unwrap_err().to_string();
            assert!(!told.contains("s3cret"), "{told}");
        }
        let broken = Request {
            headers: &[("auth-token", "s3\ncret")],
            ..get(&closed)
        };
        let told = client.send(&broken).unwrap_err().to_string();
        assert_eq!(told, "the value of the header `auth-token` cannot be sent");
    }
}
