import { XMLParser } from 'fast-xml-parser';

const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' };
/** What XML 1.0 cannot hold in any form (§2.2). */
const impossible = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu;

/** A text as the content of an element or attribute. */
export const escapeXml = (text: string): string =>
  text.replaceAll(impossible, '\uFFFD').replaceAll(/[&<>"']/g, (character) => escapes[character] ?? '');

const wsse = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss';

export type UsernameToken = { username: string; password: string };

/** An envelope with a UsernameToken as PasswordText (WS-Security UsernameToken Profile 1.0) and one flat request. */
export const writeEnvelope = (
  token: UsernameToken,
  request: { element: string; namespace: string; fields: Readonly<Record<string, string | number>> },
): string => {
  const { element, namespace, fields } = request;
  const content = Object.entries(fields)
    .map(([name, value]) => `<w:${name}>${escapeXml(String(value))}</w:${name}>`)
    .join('');
  return (
    '<?xml version="1.0" encoding="UTF-8"?>' +
    `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:w="${namespace}"><s:Header>` +
    `<o:Security s:mustUnderstand="1" xmlns:o="${wsse}-wssecurity-secext-1.0.xsd"><o:UsernameToken>` +
    `<o:Username>${escapeXml(token.username)}</o:Username>` +
    `<o:Password Type="${wsse}-username-token-profile-1.0#PasswordText">${escapeXml(token.password)}</o:Password>` +
    `</o:UsernameToken></o:Security></s:Header><s:Body><w:${element}>${content}</w:${element}></s:Body></s:Envelope>`
  );
};

const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
const decode = (text: string): string =>
  text.replaceAll(/&(amp|lt|gt|quot|apos);/g, (_, name: string) => entities[name] ?? '');

const parser = new XMLParser({
  ignoreAttributes: true,
  removeNSPrefix: true,
  parseTagValue: false,
  processEntities: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
  maxNestedTags: 32,
  tagValueProcessor: (_name, value) => decode(value),
});

type Element = Record<string, unknown>;
const isElement = (value: unknown): value is Element =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export type SoapAnswer = { kind: 'response'; fields: Element } | { kind: 'fault'; code: string; reason: string };

const childOf = (element: unknown, name: string): unknown => (isElement(element) ? element[name] : undefined);
const textOf = (value: unknown): string => {
  if (isElement(value)) return textOf(value['#text'] ?? value['Value'] ?? value['Text']);
  return typeof value === 'string' ? value : '';
};

/**
 * Reads the body of an envelope, SOAP 1.1 or 1.2; undefined when it is none. A document type is refused before parsing:
 * there is no use for one, and entities come with it.
 */
export const readEnvelope = (text: string): SoapAnswer | undefined => {
  if (/<!(?!--|\[CDATA\[)/.test(text)) return undefined;
  let parsed: unknown;
  try {
    parsed = parser.parse(text);
  } catch {
    return undefined;
  }
  const body = childOf(childOf(parsed, 'Envelope'), 'Body');
  const fault = childOf(body, 'Fault');
  if (fault !== undefined)
    return {
      kind: 'fault',
      code: textOf(childOf(fault, 'faultcode') ?? childOf(fault, 'Code')).replace(/^.*:/, ''),
      reason: textOf(childOf(fault, 'faultstring') ?? childOf(fault, 'Reason')),
    };
  if (!isElement(body)) return undefined;
  const [response] = Object.values(body);
  return isElement(response) ? { kind: 'response', fields: response } : undefined;
};
