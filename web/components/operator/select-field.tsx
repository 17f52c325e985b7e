/** A choice of a form that is sent without a script. */
export function SelectField({ name, label, value, options }: SelectFieldProps) {
  return (
    <label className="flex items-center gap-2 text-sm">
      {label}
      <select
        name={name}
        defaultValue={value}
        className="h-10 max-w-full min-w-0 rounded-full border border-line bg-paper px-3.5"
      >
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.label}
          </option>
        ))}
      </select>
    </label>
  );
}

interface SelectFieldProps {
  name: string;
  label: string;
  value: string | undefined;
  options: { value: string; label: string }[];
}
