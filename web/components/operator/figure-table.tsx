import type { ReactNode } from "react";

export interface FigureColumn {
  label: string;
  /** Numbers stand at the right, so that their digits are below each other. */
  isNumber?: boolean;
}

interface FigureTableProps {
  label: string;
  columns: FigureColumn[];
  /** The first cell of a row is its heading. */
  rows: { key: string; cells: ReactNode[] }[];
}

/** A table that scrolls where it is wider than the screen, or long. */
export function FigureTable({ label, columns, rows }: FigureTableProps) {
  const alignment = (index: number) => (columns[index]?.isNumber ? "number text-right tabular-nums" : "text-left");
  return (
    <section
      className="max-h-120 overflow-auto rounded-card border border-line bg-raised"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls a wide table only where it has the focus
      tabIndex={0}
      aria-label={label}
    >
      <table className="w-full text-sm [&_td]:px-4 [&_td]:py-2.5 [&_td]:whitespace-nowrap [&_th]:px-4 [&_th]:py-2.5 [&_th]:whitespace-nowrap">
        <thead className="text-soft">
          <tr>
            {columns.map((column, index) => (
              <th scope="col" key={column.label} className={`font-medium ${alignment(index)}`}>
                {column.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ key, cells: [heading, ...cells] }) => (
            <tr key={key} className="border-t border-line">
              <th scope="row" className={`font-semibold ${alignment(0)}`}>
                {heading}
              </th>
              {cells.map((cell, index) => (
                <td key={columns[index + 1]?.label} className={alignment(index + 1)}>
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
