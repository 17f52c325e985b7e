/** Holds items until the server has stored them. */
export interface ItemStore<Item> {
  put(item: Item): void;
  remove(ids: Iterable<string>): void;
  /** All items, oldest first. */
  all(): Item[];
}

/** What a store knows about its items. */
export interface ItemFields<Item> {
  idOf: (item: Item) => string;
  /** The time of the item in ISO 8601. */
  timeOf: (item: Item) => string;
}

/** Keeps items in memory, until the page is closed. */
export class MemoryStore<Item> implements ItemStore<Item> {
  private readonly items = new Map<string, Item>();

  constructor(private readonly fields: ItemFields<Item>) {}

  put(item: Item): void {
    this.items.set(this.fields.idOf(item), item);
  }

  remove(ids: Iterable<string>): void {
    for (const id of ids) this.items.delete(id);
  }

  all(): Item[] {
    return sortByTime([...this.items.values()], this.fields);
  }
}

/**
 * Keeps items in the browser's storage. Each item has its own key, so that two tabs of one user never overwrite each
 * other's items. If the storage is full or forbidden, items are kept in memory. `isItem` returns whether a stored value
 * is an item; others are ignored.
 */
export class BrowserStore<Item> implements ItemStore<Item> {
  private readonly overflow: MemoryStore<Item>;

  constructor(
    private readonly storage: Storage,
    private readonly prefix: string,
    private readonly fields: ItemFields<Item>,
    private readonly isItem: (value: unknown) => boolean,
  ) {
    this.overflow = new MemoryStore(fields);
  }

  put(item: Item): void {
    const id = this.fields.idOf(item);
    try {
      this.storage.setItem(this.prefix + id, JSON.stringify(item));
      this.overflow.remove([id]);
    } catch {
      this.overflow.put(item);
    }
  }

  remove(ids: Iterable<string>): void {
    for (const id of ids) {
      this.overflow.remove([id]);
      try {
        this.storage.removeItem(this.prefix + id);
      } catch {
        // The storage is no longer accessible. The item is sent again later, which is harmless.
      }
    }
  }

  all(): Item[] {
    const overflow = this.overflow.all();
    // An item that no longer fits is in memory, and its earlier form may still be in the storage.
    const ids = new Set(overflow.map(this.fields.idOf));
    const stored = this.stored().filter((item) => !ids.has(this.fields.idOf(item)));
    return sortByTime([...overflow, ...stored], this.fields);
  }

  private stored(): Item[] {
    const items: Item[] = [];
    try {
      for (let index = 0; index < this.storage.length; index += 1) {
        const key = this.storage.key(index);
        if (!key?.startsWith(this.prefix)) continue;
        const value = parse(this.storage.getItem(key));
        if (this.isItem(value)) items.push(value as Item);
      }
    } catch {
      // The storage cannot be read. Only the items in memory are returned.
    }
    return items;
  }
}

function parse(text: string | null): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return null;
  }
}

function sortByTime<Item>(items: Item[], { timeOf }: ItemFields<Item>): Item[] {
  return items.sort((a, b) => (timeOf(a) < timeOf(b) ? -1 : timeOf(a) > timeOf(b) ? 1 : 0));
}
