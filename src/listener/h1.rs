//! One HTTP/1.1 connection: read a head, let the service judge it, read the body, answer, again.
//!
//! Strictly one call after the other. A connection that waits holds no buffer; while a call is being
//! answered its socket is watched, so that a sender that hangs up is noticed.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode, Version};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::answer::Claim;
use super::bodies::Held;
use super::body::{Part, Progress};
use super::line::{Came, Line};
use super::{Admitted, Peer, Service, Shared};
use crate::drain::Watch;
use crate::http1::{self, Arrived, Framing, SCRATCH_BYTES};
use crate::message::{Response, Unread};

/// An answer up to this size leaves in one piece with its head; copying it costs less than a vector.
const SMALL_BYTES: usize = 8 << 10;
/// Room for a status line and the fields that are ours.
const HEAD_BYTES: usize = 256;

/// Who connects is about to call: a connection this young is not idle when the end is asked for.
const FIRST_WORD: Duration = Duration::from_secs(1);

/// Serves one connection to its end. Dropping the future closes it.
pub(super) async fn run<S, T>(stream: T, peer: Peer, shared: &Shared, service: &S, watch: &Watch)
where
    S: Service,
    T: AsyncRead + AsyncWrite + Unpin + Send,
{
    let opened = Instant::now();
    let limits = &shared.limits;
    // Polled once to be woken by it; from then on a look at the flag will do.
    let mut requested = pin!(watch.requested());
    poll_fn(|cx| Poll::Ready(requested.as_mut().poll(cx).is_ready())).await;
    let mut line = Line::new(stream, opened, limits, watch);
    line.due_at(opened + limits.header_time);
    let mut talk = Talk {
        shared,
        service,
        peer,
        left: Vec::new(),
        opened,
        is_first: true,
    };
    loop {
        let (response, form) = match talk.next(&mut line).await {
            Next::Gone => return,
            Next::Idle => return line.shut().await,
            Next::Answered(response, form) => (response, form),
            Next::Called(call, body, form) => match talk.body(&mut line, body).await {
                Ok(body) => {
                    // Made where it is polled: it is large, and to move it costs as much as a parse.
                    let answer = pin!(service.answer(call, body));
                    match talk.answered(&mut line, answer).await {
                        Some(response) => (response, form),
                        None => return,
                    }
                }
                Err(why) => (service.unread(call, why), form.last()),
            },
        };
        talk.is_first = false;
        let is_last = response.is_last || form.is_last || watch.is_requested();
        let now = Instant::now();
        let claim = Claim::of(response.body.len(), &shared.untaken);
        let (head, body) = written(response, claim.is_some(), Form { is_last, ..form }, now);
        let Ok(sent) = line.send(&head, &body, now).await else {
            return;
        };
        drop(claim);
        if is_last && (form.is_last || !talk.left.is_empty()) {
            return line.linger().await;
        } else if is_last {
            return line.shut().await;
        }
        let next_in = if talk.left.is_empty() {
            limits.idle_time
        } else {
            limits.header_time
        };
        line.due_at(sent + next_in);
    }
}

/// What a connection comes to next.
enum Next<C> {
    /// Its other end is gone.
    Gone,
    /// It was idle for too long, or the process drains.
    Idle,
    /// There is an answer already.
    Answered(Response, Form),
    /// The service wants the body.
    Called(C, Body, Form),
}

/// A body, and whether its sender waits for a word before it sends it.
struct Body {
    part: Part,
    is_awaited: bool,
}

/// How a response to this request is written.
#[derive(Clone, Copy, Debug, Default)]
struct Form {
    /// To a HEAD: what it would have, and not the body (RFC 9110, 9.3.2).
    head_only: bool,
    /// HTTP/1.0 is told that the connection stays open (RFC 9112, 9.3).
    says_keep_alive: bool,
    /// No other call follows: the request said so, or its body is not known to have been read.
    is_last: bool,
}

impl Form {
    fn last(self) -> Self {
        Self {
            is_last: true,
            ..self
        }
    }
}

/// The calls of one connection.
struct Talk<'a, S> {
    shared: &'a Shared,
    service: &'a S,
    peer: Peer,
    /// What was read beyond the call at hand, or a head that is not complete.
    left: Vec<u8>,
    opened: Instant,
    is_first: bool,
}

impl<S: Service> Talk<'_, S> {
    /// Waits for a head, and lets the service judge it.
    async fn next<T>(&mut self, line: &mut Line<'_, T>) -> Next<S::Call>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let left = std::mem::take(&mut self.left);
        if let Some(next) = (!left.is_empty()).then(|| self.take(line, &left)).flatten() {
            return next;
        }
        poll_fn(|cx| {
            loop {
                match line.poll_read(cx, |line, came| self.came(line, came)) {
                    Poll::Ready(Came::Bytes(Some(next))) => return Poll::Ready(next),
                    Poll::Ready(Came::Bytes(None)) => {}
                    Poll::Ready(Came::End) => return Poll::Ready(Next::Gone),
                    Poll::Pending => break,
                }
            }
            // A call that is on its way is let in: a close would leave its sender in doubt.
            if self.left.is_empty() && line.is_asked_to_end() {
                line.hurry(self.opened + FIRST_WORD);
                if !self.is_first || line.is_late(cx) {
                    return Poll::Ready(Next::Idle);
                }
            }
            if !line.is_late(cx) {
                return Poll::Pending;
            }
            Poll::Ready(if self.is_first || !self.left.is_empty() {
                // RFC 9110, 15.5.9.
                let late = Response::new(StatusCode::REQUEST_TIMEOUT);
                Next::Answered(late, Form::default().last())
            } else {
                Next::Idle
            })
        })
        .await
    }

    /// Bytes of a head, perhaps its last.
    fn came<T>(&mut self, line: &mut Line<'_, T>, came: &[u8]) -> Option<Next<S::Call>>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        if self.left.is_empty() {
            let next = self.take(line, came);
            if next.is_none() && !self.is_first {
                line.due_at(Instant::now() + self.shared.limits.header_time);
            }
            return next;
        }
        self.left.extend_from_slice(came);
        // A head ends where a line does: what trickles in is not parsed byte by byte.
        let may_be_whole = memchr::memchr(b'\n', came).is_some()
            || self.left.len() >= self.shared.limits.header_bytes_max;
        if !may_be_whole {
            return None;
        }
        let left = std::mem::take(&mut self.left);
        self.take(line, &left)
    }

    /// Takes the next call out of `bytes`, and keeps what is not part of it.
    fn take<T>(&mut self, line: &mut Line<'_, T>, bytes: &[u8]) -> Option<Next<S::Call>>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let limits = http1::Limits {
            bytes_max: self.shared.limits.header_bytes_max,
            count_max: self.shared.limits.header_count_max,
        };
        match http1::request(bytes, &limits) {
            Ok(Some(arrived)) => {
                let rest = bytes.get(arrived.bytes..).unwrap_or_default();
                Some(self.judge(line, arrived, rest))
            }
            Ok(None) => {
                self.left.extend_from_slice(bytes);
                None
            }
            Err(why) => {
                let refused = self.service.malformed(why, self.peer);
                Some(Next::Answered(refused, Form::default().last()))
            }
        }
    }

    fn judge<T>(&mut self, line: &mut Line<'_, T>, arrived: Arrived, rest: &[u8]) -> Next<S::Call>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let form = Form {
            head_only: arrived.head.method == Method::HEAD,
            says_keep_alive: arrived.head.version == Version::HTTP_10 && arrived.keeps_alive,
            is_last: !arrived.keeps_alive,
        };
        let declared = match arrived.framing {
            Framing::Length(length) => Some(length),
            Framing::Chunked | Framing::UntilClose => None,
        };
        let Admitted {
            call,
            body_bytes_max,
            body_time,
        } = match self.service.admit(arrived.head, self.peer) {
            Ok(admitted) => admitted,
            Err(refused) => {
                // A body that is here already is passed over; any other ends the connection.
                let next = declared
                    .and_then(|length| usize::try_from(length).ok())
                    .and_then(|length| rest.get(length..));
                self.left.extend_from_slice(next.unwrap_or_default());
                let form = if next.is_some() { form } else { form.last() };
                return Next::Answered(refused, form);
            }
        };
        let held = || Held::new(&self.shared.bodies, self.peer.address.ip());
        match Part::begin(declared, rest, body_bytes_max, held) {
            Ok((part, used)) => {
                self.left
                    .extend_from_slice(rest.get(used..).unwrap_or_default());
                if matches!(part, Part::Begun(_)) {
                    line.due_at(Instant::now() + body_time);
                }
                let body = Body {
                    part,
                    is_awaited: arrived.expects_continue && rest.is_empty(),
                };
                Next::Called(call, body, form)
            }
            Err(why) => Next::Answered(self.service.unread(call, why), form.last()),
        }
    }

    /// Reads what is left of a body.
    async fn body<T>(&mut self, line: &mut Line<'_, T>, body: Body) -> Result<Bytes, Unread>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let mut progress = match body.part {
            Part::Whole(whole) => return Ok(whole),
            Part::Begun(progress) => progress,
        };
        if body.is_awaited {
            line.say_continue().await.map_err(|_| Unread::CutOff)?;
        }
        poll_fn(|cx| {
            loop {
                match line.poll_read(cx, |_, came| self.add(&mut progress, came)) {
                    Poll::Ready(Came::Bytes(Ok(false))) => {}
                    Poll::Ready(Came::Bytes(Ok(true))) => return Poll::Ready(Ok(())),
                    Poll::Ready(Came::Bytes(Err(why))) => return Poll::Ready(Err(why)),
                    Poll::Ready(Came::End) => return Poll::Ready(Err(Unread::CutOff)),
                    Poll::Pending if line.is_late(cx) => {
                        return Poll::Ready(Err(Unread::TooSlow));
                    }
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await?;
        Ok(progress.finish())
    }

    /// Whether the body is complete with this.
    fn add(&mut self, progress: &mut Progress, came: &[u8]) -> Result<bool, Unread> {
        let Some(used) = progress.add(came)? else {
            return Ok(false);
        };
        self.left
            .extend_from_slice(came.get(used..).unwrap_or_default());
        Ok(true)
    }

    /// Lets the service answer; `None` when the sender hung up meanwhile.
    async fn answered<T>(
        &mut self,
        line: &mut Line<'_, T>,
        mut answer: Pin<&mut impl Future<Output = Response>>,
    ) -> Option<Response>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        poll_fn(|cx| {
            if let Poll::Ready(response) = answer.as_mut().poll(cx) {
                return Poll::Ready(Some(response));
            }
            // What comes now is the next call, or the end. A buffer full of next calls is enough.
            while self.left.len() < SCRATCH_BYTES {
                match line.poll_read(cx, |_, came| self.left.extend_from_slice(came)) {
                    Poll::Pending => break,
                    Poll::Ready(Came::Bytes(())) => {}
                    Poll::Ready(Came::End) => return Poll::Ready(None),
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// The bytes of a response: its head, with a small body, and a large body by itself.
///
/// An answer for which there is no room in the ledger keeps its status and loses its body: the status is
/// what became of the call, and a sender must not be told another because its neighbours do not read.
fn written(response: Response, has_room: bool, form: Form, now: Instant) -> (Vec<u8>, Bytes) {
    let Response {
        status,
        mut fields,
        mut body,
        ..
    } = response;
    if !has_room {
        body = Bytes::new();
        // It speaks of the body that is gone; nothing is no valid gzip.
        fields.retain(|name, _| name != "content-encoding");
    }
    // RFC 9110, 15.3.5 and 15.4.5.
    let is_bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let text: usize = fields.iter().map(|(n, v)| n.len() + v.len() + 4).sum();
    let mut out = Vec::with_capacity(HEAD_BYTES + text + body.len().min(SMALL_BYTES));
    http1::begin_response(&mut out, status);
    for (name, value) in fields.iter() {
        http1::field(&mut out, name, value);
    }
    http1::date(&mut out, now);
    // The response to a HEAD has the length of what was left out, if that is known.
    let says_length = !is_bodiless && (!form.head_only || !body.is_empty());
    if says_length {
        http1::length(&mut out, body.len());
    }
    if form.is_last {
        http1::field(&mut out, "connection", b"close");
    } else if form.says_keep_alive {
        http1::field(&mut out, "connection", b"keep-alive");
    }
    http1::end(&mut out);
    if is_bodiless || form.head_only {
        body = Bytes::new();
    } else if body.len() <= SMALL_BYTES {
        out.extend_from_slice(&body);
        body = Bytes::new();
    }
    (out, body)
}
