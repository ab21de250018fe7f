import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeEvent } from '../simulators/make-event.ts';
import { partnerNames } from '../verification/profile.ts';
import { partnerOf } from './partner-of.ts';
import { readAccountHint, readEvent } from './read-event.ts';

const timestamp = '2026-03-01T12:00:00.000Z';
const occurredAt = new Date(timestamp);
const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));

const samples = {
  benevity: {
    event_type: 'delivery.success',
    transaction_id: 'txn_1',
    organization_id: 'org_1',
    status: 'success',
    timestamp,
  },
  goodera: {
    eventType: 'data.processed',
    transactionId: 'txn_1',
    projectId: 'project_1',
    status: 'success',
    timestamp,
  },
  workday: { eventType: 'activity.created', activityId: 'wid_1', status: 'success', timestamp },
};

const read = (partner: keyof typeof samples, changes: Record<string, unknown> = {}) =>
  readEvent(partnerOf[partner], bytes({ ...samples[partner], ...changes }));

describe('the events of partners.md are read', () => {
  it.each([
    ['delivery.success', 'success'],
    ['delivery.failed', 'failed'],
    ['delivery.retry', 'retrying'],
  ])('Benevity %s means %s', (event_type, status) => {
    expect(read('benevity', { event_type, event_id: 'evt_1', error_message: 'why' })).toEqual({
      outcome: 'event',
      event: {
        eventId: 'evt_1',
        eventType: event_type,
        correlationId: 'txn_1',
        entityKey: 'transaction:txn_1',
        status,
        occurredAt,
      },
    });
  });

  it.each([
    ['data.received', 'processing', 'pending'],
    ['data.processed', 'success', 'success'],
    ['data.failed', 'failed', 'failed'],
    ['data.processed', 'failed', 'failed'],
  ])('Goodera %s with status %s means %s', (eventType, reported, status) => {
    expect(read('goodera', { eventType, status: reported, recordsProcessed: 3, error: 'why' })).toEqual({
      outcome: 'event',
      event: { eventId: null, eventType, correlationId: 'txn_1', entityKey: 'transaction:txn_1', status, occurredAt },
    });
  });

  it.each([
    [{ eventType: 'activity.updated', status: 'error' }, 'wid_1', 'activity:wid_1', 'failed'],
    [
      { eventType: 'enrollment.confirmed', activityId: undefined, enrollmentId: 'enr_1' },
      'enr_1',
      'enrollment:enr_1',
      'success',
    ],
    [{ activityId: null, enrollmentId: null }, null, null, 'success'],
    [{ enrollmentId: 'enr_1' }, 'wid_1', 'activity:wid_1', 'success'],
  ])('Workday %o', (changes, correlationId, entityKey, status) => {
    expect(read('workday', changes)).toMatchObject({ outcome: 'event', event: { correlationId, entityKey, status } });
  });

  it.each(partnerNames)('what the %s simulator sends matches, for every event type', (partner) => {
    for (const eventType of partnerOf[partner].eventTypes) {
      const made = makeEvent(partner, { seed: eventType, nowMs: occurredAt.getTime(), eventType });
      const result = readEvent(partnerOf[partner], made.body);
      expect(result).toMatchObject({ outcome: 'event', event: { eventId: made.eventId, eventType, occurredAt } });
    }
  });
});

describe('an authentic payload that is no event', () => {
  it.each([
    ['benevity', { event_type: 'delivery.exploded' }, '/event_type'],
    ['benevity', { transaction_id: undefined }, '/transaction_id'],
    ['benevity', { transaction_id: '' }, '/transaction_id'],
    ['benevity', { transaction_id: 'a\u0000b' }, '/transaction_id'],
    ['benevity', { transaction_id: 'a\ud800b' }, '/transaction_id'],
    ['benevity', { transaction_id: 'x'.repeat(201) }, '/transaction_id'],
    ['benevity', { event_id: 7 }, '/event_id'],
    ['benevity', { timestamp: 'yesterday' }, '/timestamp'],
    ['benevity', { timestamp: '2026-03-01T12:00:00' }, '/timestamp'],
    ['benevity', { timestamp: '2026-02-30T12:00:00Z' }, '/timestamp'],
    ['benevity', { timestamp: '0000-01-01T00:00:00Z' }, '/timestamp'],
    ['goodera', { status: 'done' }, '/status'],
    ['goodera', { recordsProcessed: -1 }, '/recordsProcessed'],
    ['goodera', { recordsProcessed: 1.5 }, '/recordsProcessed'],
    ['workday', { status: 'failed' }, '/status'],
    ['workday', { activityId: 5 }, '/activityId'],
  ] as const)('is described: %s %o', (partner, changes, path) => {
    const result = read(partner, changes);
    expect(result).toMatchObject({ outcome: 'schema_mismatch', issues: [{ path }] });
  });

  it('is described without its values', () => {
    const result = read('benevity', {
      event_type: 'Ada Lovelace',
      timestamp: 'Ada Lovelace',
      transaction_id: '\u0000Ada Lovelace',
    });
    expect(JSON.stringify(result)).not.toContain('Lovelace');
  });

  it.each(['', '{', '{"a":1}}', 'NaN', "{'a':1}", '\ufeff'])('%j is not JSON', (text) => {
    expect(readEvent(partnerOf.benevity, Buffer.from(text))).toEqual({ outcome: 'not_json' });
  });

  it('in another character set is not JSON', () => {
    const latin1 = Buffer.from('{"a":"é"}', 'latin1');
    expect(readEvent(partnerOf.benevity, latin1)).toEqual({ outcome: 'not_json' });
  });

  it.each(partnerNames)('whatever it is, reading it for %s does not throw', (partner) => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json().map((text) => Buffer.from(text)),
          fc.uint8Array().map((array) => Buffer.from(array)),
        ),
        (body) => {
          expect(readEvent(partnerOf[partner], body).outcome).not.toBe('event');
          readAccountHint(partnerOf[partner], body);
        },
      ),
    );
    const deep = Buffer.from('['.repeat(100_000) + ']'.repeat(100_000));
    expect(readEvent(partnerOf[partner], deep).outcome).not.toBe('event');
  });

  it('may have fields that nobody knows, so that partners can add some', () => {
    expect(read('goodera', { campaign: { name: 'x' }, ['__proto__']: 1 })).toMatchObject({ outcome: 'event' });
  });
});

describe('the account that a body names', () => {
  it('is Benevity’s organisation, Goodera’s project, and nothing for Workday', () => {
    expect(readAccountHint(partnerOf.benevity, bytes(samples.benevity))).toBe('org_1');
    expect(readAccountHint(partnerOf.goodera, bytes(samples.goodera))).toBe('project_1');
    expect(readAccountHint(partnerOf.workday, bytes(samples.workday))).toBeNull();
    for (const body of ['null', '[]', '"org"', '{"organization_id":7}', '{"organization_id":""}', '{'])
      expect(readAccountHint(partnerOf.benevity, Buffer.from(body))).toBeNull();
  });
});
