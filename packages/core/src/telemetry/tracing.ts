import { context, isSpanContextValid, propagation, SpanStatusCode, trace, type Span } from '@opentelemetry/api';

const tracer = trace.getTracer('impact-hub');

/**
 * Runs `work` in a span. Without an OpenTelemetry SDK loaded (`node --import <your-sdk>`) this costs next to nothing.
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
  return tracer.startActiveSpan(name, { attributes }, parentContext, async (span) => {
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
};

/** The active trace as a W3C `traceparent` header value (Trace Context, level 1), or null outside a trace. */
export const currentTraceparent = (): string | null => {
  const span = trace.getActiveSpan()?.spanContext();
  if (span === undefined || !isSpanContextValid(span)) return null;
  return `00-${span.traceId}-${span.spanId}-${span.traceFlags.toString(16).padStart(2, '0')}`;
};
