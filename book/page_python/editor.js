// The editor: CodeMirror 6 with the small Python mode, under one name. bundle.py makes it one script.
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { indentOnInput, indentUnit, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import { python } from "@codemirror/legacy-modes/mode/python";
import { EditorState, StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView, keymap, lineNumbers } from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";

const mark = StateEffect.define(); // the number of a wrong line, or 0
const marked = StateField.define({
  create: () => Decoration.none,
  update(lines, change) {
    for (const effect of change.effects) {
      if (!effect.is(mark)) continue;
      const number = effect.value;
      if (number < 1 || number > change.state.doc.lines) return Decoration.none;
      const line = Decoration.line({ class: "lr-wrong-line" });
      return Decoration.set([line.range(change.state.doc.line(number).from)]);
    }
    return change.docChanged ? Decoration.none : lines;
  },
  provide: (field) => EditorView.decorations.from(field),
});

// Tab leaves the editor, as everywhere in a page: who uses the keyboard alone must get out.
window.lrEditor = function (parent, { text, label, onChange, onRun }) {
  const view = new EditorView({
    parent,
    doc: text,
    extensions: [
      keymap.of([{ key: "Mod-Enter", run: () => (onRun(), true) }, ...defaultKeymap, ...historyKeymap]),
      history(),
      lineNumbers(),
      indentUnit.of("    "),
      indentOnInput(),
      StreamLanguage.define(python),
      syntaxHighlighting(classHighlighter),
      EditorState.tabSize.of(4),
      EditorView.lineWrapping,
      marked,
      EditorView.contentAttributes.of({
        "aria-label": label, autocapitalize: "off", autocorrect: "off", spellcheck: "false",
      }),
      EditorView.updateListener.of((update) => update.docChanged && onChange(view.state.doc.toString())),
    ],
  });
  return {
    text: () => view.state.doc.toString(),
    put: (changed) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: changed } }),
    mark: (number) => view.dispatch({ effects: mark.of(number) }),
    focus: () => view.focus(),
  };
};
