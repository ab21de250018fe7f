/** Whose an item is, from the outside in: everything of a company takes one share, its endpoints divide it. */
export type Owners = readonly [company: string, endpoint: string];

type Sized = { bytes: number };

/** Bytes that an owner may take before the next one has its turn: some ten rows of 1 KB, or the start of one large one. */
const quantumBytes = 16_384;

type Leaf<T> = { items: T[]; first: number; balance: number };
type Ring<C> = { children: Map<string, C>; balance: number };
type Company<T> = Ring<Leaf<T>>;

export type FairQueue<T extends Sized> = {
  push(owners: Owners, item: T): void;
  size(): number;
  /** Takes as many items as fit, owners in turns; one that is too large for any batch is taken alone. */
  take(limits: { rows: number; bytes: number }): T[];
  /** Removes what is at the head of its owner's line, as long as it matches. */
  removeHeads(matches: (item: T) => boolean): T[];
};

/**
 * The child whose turn it is: the first one that is not in debt. A child pays for what was taken when its turn is over, so
 * that a large item costs as many turns as it is large.
 */
const nextOf = <C extends { balance: number }>(ring: Ring<C>): [string, C] | undefined => {
  for (const [name, child] of ring.children) {
    if (child.balance > 0) return [name, child];
    // To the end of the line, with what its next turn brings; this loop comes to it again.
    child.balance += quantumBytes;
    ring.children.delete(name);
    ring.children.set(name, child);
  }
  return undefined;
};

const childOf = <C>(ring: Ring<C>, name: string, make: () => C): C => {
  let child = ring.children.get(name);
  if (child === undefined) ring.children.set(name, (child = make()));
  return child;
};

const shift = <T>(leaf: Leaf<T>): void => {
  leaf.first += 1;
  if (leaf.first < 1_024 || leaf.first * 2 < leaf.items.length) return;
  leaf.items.splice(0, leaf.first);
  leaf.first = 0;
};

const isEmpty = <T>(leaf: Leaf<T>): boolean => leaf.first === leaf.items.length;

/**
 * A queue in which owners take turns by bytes (deficit round robin: Shreedhar and Varghese, 1995), each first in, first
 * out: however much one of them has queued, another one's item waits for a turn of each, not for that.
 */
export const createFairQueue = <T extends Sized>(): FairQueue<T> => {
  const companies: Ring<Company<T>> = { children: new Map(), balance: 0 };
  let size = 0;

  const next = () => {
    const [company, ring] = nextOf(companies) ?? [];
    if (ring === undefined || company === undefined) return undefined;
    const [endpoint, leaf] = nextOf(ring) ?? [];
    const item = leaf?.items[leaf.first];
    if (leaf === undefined || endpoint === undefined || item === undefined) return undefined;
    const remove = (): void => {
      shift(leaf);
      size -= 1;
      leaf.balance -= item.bytes;
      ring.balance -= item.bytes;
      if (isEmpty(leaf)) ring.children.delete(endpoint);
      if (ring.children.size === 0) companies.children.delete(company);
    };
    return { item, remove };
  };

  return {
    push: ([company, endpoint], item) => {
      const ring = childOf(companies, company, (): Company<T> => ({ children: new Map(), balance: quantumBytes }));
      const leaf = childOf(ring, endpoint, (): Leaf<T> => ({ items: [], first: 0, balance: quantumBytes }));
      leaf.items.push(item);
      size += 1;
    },
    size: () => size,
    take: (limits) => {
      const taken: T[] = [];
      let bytes = 0;
      while (taken.length < limits.rows) {
        const candidate = next();
        if (candidate === undefined) break;
        bytes += candidate.item.bytes;
        if (taken.length > 0 && bytes > limits.bytes) break;
        candidate.remove();
        taken.push(candidate.item);
      }
      return taken;
    },
    removeHeads: (matches) => {
      const removed: T[] = [];
      for (const [company, ring] of companies.children) {
        for (const [endpoint, leaf] of ring.children) {
          for (let item = leaf.items[leaf.first]; item !== undefined && matches(item); item = leaf.items[leaf.first]) {
            removed.push(item);
            shift(leaf);
          }
          if (isEmpty(leaf)) ring.children.delete(endpoint);
        }
        if (ring.children.size === 0) companies.children.delete(company);
      }
      size -= removed.length;
      return removed;
    },
  };
};
