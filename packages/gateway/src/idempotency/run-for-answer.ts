import { problemAnswer, ProblemError, type Answer } from '@impact-hub/core';
import type { FastifyRequest } from 'fastify';

/** An answer of 5xx that a handler returned: undoes the transaction like one that is thrown, and is sent. */
export class AnswerUndone extends Error {
  override readonly name = 'AnswerUndone';
  readonly answer: Answer;
  constructor(answer: Answer) {
    super(`answered with ${answer.status}`);
    this.answer = answer;
  }
}

export type Ran = {
  answer: Answer;
  /** Whether a repetition gets this answer; otherwise it runs the handler again. */
  isKept: boolean;
  /** Set when the handler threw its answer. */
  problem?: ProblemError;
};

/** Refusals that can turn out otherwise for the same request: credentials, permissions, limits, what was unreadable. */
const passing = new Set([400, 401, 403, 408, 425, 429]);

const isKept = ({ status }: Answer): boolean => !passing.has(status);

/**
 * Runs a handler and judges its answer. A refusal below 500 keeps what the handler committed before it, as without the
 * header; what failed is undone as a whole, so that the retry starts afresh.
 *
 * @throws AnswerUndone for an answer of 5xx, and whatever else the handler throws
 */
export const runForAnswer = async (run: () => Promise<Answer>, request: FastifyRequest): Promise<Ran> => {
  try {
    const answer = await run();
    if (answer.status >= 500) throw new AnswerUndone(answer);
    return { answer, isKept: isKept(answer) };
  } catch (error) {
    if (!(error instanceof ProblemError) || error.definition.status >= 500) throw error;
    const answer = problemAnswer(error, request);
    return { answer, isKept: isKept(answer), problem: error };
  }
};
