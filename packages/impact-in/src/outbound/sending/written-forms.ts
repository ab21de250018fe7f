import { escapeXml } from './soap.ts';

const lowerHex = (text: string): string => text.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase());
const codeUnit = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** The ways JSON is written: `/`, what HTML could mistake, and all but ASCII may be escaped. */
const jsonForms = (text: string): string[] => {
  const plain = JSON.stringify(text).slice(1, -1);
  const forms = [plain, plain.replaceAll('/', '\\/')];
  return forms.flatMap((form) => {
    const ascii = form.replaceAll(/[^\x20-\x7e]/g, codeUnit);
    return [form, ascii, ascii.replaceAll(/[<>&]/g, codeUnit), ascii.replaceAll(/[<>&']/g, codeUnit)];
  });
};

const quotes = ['"', '&quot;', '&#34;', '&#x22;'];
const apostrophes = ["'", '&apos;', '&#39;', '&#039;', '&#x27;'];

/** The ways XML and HTML are written: quotes need an escape only in attributes, and have several. */
const markupForms = (text: string): string[] => {
  const base = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  const [ofQuotes, ofApostrophes] = [text.includes('"') ? quotes : ['"'], text.includes("'") ? apostrophes : ["'"]];
  const forms = ofQuotes.flatMap((quote) =>
    ofApostrophes.map((apostrophe) => base.replaceAll('"', quote).replaceAll("'", apostrophe)),
  );
  return [...forms, escapeXml(text)];
};

const urlForms = (text: string): string[] => {
  // A URLSearchParams takes what is no text; encodeURIComponent throws.
  const wellFormed = text.toWellFormed();
  const forms = [encodeURIComponent(wellFormed), new URLSearchParams({ '': wellFormed }).toString().slice(1)];
  return forms.flatMap((form) => [form, lowerHex(form)]);
};

/** What nobody escapes. */
const isPlain = /^[\w.-]*$/;

/** Every way in which a partner may repeat a text. */
export const writtenForms = (text: string): string[] =>
  isPlain.test(text) ? [text] : [...new Set([text, ...jsonForms(text), ...urlForms(text), ...markupForms(text)])];

/** As headers write it; without the padding, which some leave out. */
export const base64Forms = (text: string): string[] => {
  const bytes = Buffer.from(text);
  return [bytes.toString('base64').replaceAll('=', ''), bytes.toString('base64url')];
};
