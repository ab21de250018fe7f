import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import { context, isSpanContextValid, propagation, SpanStatusCode, trace, type Span } from '@opentelemetry/api';

const tracer = trace.getTracer('impact-hub');

/** What a trace is read from: a request, or whatever carries one's headers. Nothing is computed until it is asked for. */
export type TraceSource = {
  id: string;
  headers: Readonly<Record<string, string | string[] | undefined>>;
};

const sources = new AsyncLocalStorage<TraceSource>();

/** Trace Context level 1 §3.2; a later version may add fields after the four. */
const traceparentForm = /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(-.*)?$/;
/** §3.3.1.5: what has to be passed on at least. */
const maxTracestateLength = 512;

/** A valid `traceparent` as version 00, else undefined: a malformed one is as good as none (§3.2.4). */
export const parseTraceparent = (header: string | string[] | undefined): string | undefined => {
  if (typeof header !== 'string' || header.length < 55) return undefined;
  const [, version, traceId, parentId, flags, more] = traceparentForm.exec(header) ?? [];
  if (version === undefined || (version === '00' && more !== undefined)) return undefined;
  return `00-${traceId}-${parentId}-${flags}`;
};

const uuid = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/;

const notSampled = (traceId: string): string => `00-${traceId}-${traceId.slice(16)}-00`;

/**
 * A request that came without a trace begins one, not sampled, under its own id: 32 hexadecimal digits as well. Ids of
 * callers may be anything, and zeros name no trace.
 */
const traceparentOfId = (id: string): string =>
  (uuid.test(id) ? parseTraceparent(notSampled(id.replaceAll('-', ''))) : undefined) ??
  notSampled(createHash('sha256').update(id).digest('hex').slice(0, 32));

/** The trace of a request: the caller's, or one of its own. */
export const traceparentOf = (source: TraceSource): string =>
  parseTraceparent(source.headers['traceparent']) ?? traceparentOfId(source.id);

/** Runs `work` so that `currentTraceparent` and `traceHeaders` speak of this request, also in what it awaits. */
export const withTraceOf = <A extends unknown[], R>(source: TraceSource, work: (...args: A) => R, ...args: A): R =>
  sources.run(source, work, ...args);

/**
 * Runs `work` in a span. Without an OpenTelemetry SDK loaded (`node --import <your-sdk>`) this costs next to nothing,
 * and the ids of `parent` are passed on all the same.
 *
 * @param parent W3C `traceparent` to continue, if any
 */
export const inSpan = async <T>(
  name: string,
  attributes: Record<string, string | number>,
  parent: string | undefined,
  work: (span: Span) => Promise<T>,
): Promise<T> => {
  const parentContext =
    parent === undefined ? context.active() : propagation.extract(context.active(), { traceparent: parent });
  const run = (): Promise<T> =>
    tracer.startActiveSpan(name, { attributes }, parentContext, async (span) => {
      try {
        return await work(span);
      } catch (error) {
        span.recordException(error as Error);
        span.setStatus({ code: SpanStatusCode.ERROR });
        throw error;
      } finally {
        span.end();
      }
    });
  return parent === undefined ? run() : withTraceOf({ id: '', headers: { traceparent: parent } }, run);
};

const activeSpan = (): string | null => {
  const span = trace.getActiveSpan()?.spanContext();
  if (span === undefined || !isSpanContextValid(span)) return null;
  return `00-${span.traceId}-${span.spanId}-${span.traceFlags.toString(16).padStart(2, '0')}`;
};

/**
 * The active trace as a W3C `traceparent` header value (Trace Context, level 1): the active span of an OpenTelemetry
 * SDK, else the trace of the request or job around the caller; null outside both.
 */
export const currentTraceparent = (): string | null => {
  const span = activeSpan();
  if (span !== null) return span;
  const source = sources.getStore();
  return source === undefined ? null : traceparentOf(source);
};

/** The headers that pass the active trace on to another service; empty outside a trace. */
export const traceHeaders = (): { traceparent?: string; tracestate?: string } => {
  const traceparent = currentTraceparent();
  if (traceparent === null) return {};
  const headers: TraceSource['headers'] = sources.getStore()?.headers ?? {};
  const tracestate = parseTraceparent(headers['traceparent']) === undefined ? undefined : headers['tracestate'];
  if (typeof tracestate !== 'string' || tracestate === '' || tracestate.length > maxTracestateLength)
    return { traceparent };
  return { traceparent, tracestate };
};

/** The trace id for a log line of this request; undefined when it came without a trace: its own id is the trace's then. */
export const traceIdOf = (source: TraceSource): string | undefined => {
  const given =
    activeSpan() ??
    (source.headers['traceparent'] === undefined ? null : parseTraceparent(source.headers['traceparent']));
  return given?.slice(3, 35);
};
