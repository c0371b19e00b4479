"""Words that Windows' own tools print instead of a value, in the languages Windows is sold in.

Only words of values are here, never names of columns: what a column is follows from its place or its shape.
A word that is not listed is not known; it is never taken for its opposite.
"""

from __future__ import annotations

_ENABLED = frozenset({
    "abilitata", "abilitato", "activat", "activé", "activée", "aktiverad", "aktiveret", "aktivert", "aktiviert", "ativada",
    "ativado", "enabled", "engedélyezve", "etkin", "habilitada", "habilitado", "ingeschakeld", "käytössä", "omogućeno",
    "povoleno", "włączona", "włączone", "włączono", "włączony", "ενεργοποιημένη", "ενεργοποιημένο", "включен", "включена",
    "включено", "увімкнено", "启用", "啟用", "已启用", "已啟用", "有効", "사용", "사용함",
})  # fmt: skip
_DISABLED = frozenset({
    "deaktiveret", "deaktivert", "deaktiviert", "desabilitada", "desabilitado", "desativada", "desativado", "deshabilitada",
    "deshabilitado", "devre dışı", "dezactivat", "disabilitata", "disabilitato", "disabled", "disattivata", "disattivato",
    "désactivé", "désactivée", "ei käytössä", "inaktiverad", "letiltva", "onemogućeno", "poissa käytöstä", "uitgeschakeld",
    "wyłączona", "wyłączone", "wyłączono", "wyłączony", "zakázáno", "απενεργοποιημένη", "απενεργοποιημένο", "вимкнено",
    "отключен", "отключена", "отключено", "停用", "已停用", "已禁用", "無効", "禁用", "사용 안 함", "사용 안함",
})  # fmt: skip
_READY = frozenset({
    "bereit", "gereed", "gotowe", "gotowy", "hazır", "klar", "kész", "listo", "pronta", "pronto", "prêt", "připraveno", "ready",
    "valmis", "έτοιμο", "готов", "готово", "就緒", "就绪", "準備完了", "준비",
})  # fmt: skip
_NOTHING = frozenset({
    "aucun", "brak", "ej/t", "geen", "i/t", "inga", "keine", "n.v.t.", "n/a", "n/d", "n/v", "nd", "nenhum", "nessuno",
    "nicht zutreffend", "ninguno", "no disponible", "non applicabile", "non disponible", "none", "not applicable", "nvt",
    "não disponível", "μ/δ", "н/д", "не задано", "не применимо", "нет", "なし", "无", "無", "없음",
})  # fmt: skip
_NEVER = frozenset({
    "aldrig", "jamais", "mai", "never", "nie", "nigdy", "nikdy", "nooit", "nunca", "никогда", "なし", "从未", "從未", "안 함",
})  # fmt: skip
_FAILURE = frozenset({
    "advertencia", "avertissement", "błąd", "chyba", "erreur", "erro", "error", "errore", "fehler", "feil", "fejl", "fel", "fout",
    "hata", "hiba", "virhe", "warning", "warnung", "σφάλμα", "ошибка", "помилка", "предупреждение", "エラー", "警告", "錯誤",
    "错误", "경고", "오류",
})  # fmt: skip
_MORNING = frozenset({
    "am", "de", "sa", "πμ", "πμ.", "ص", "ق", "上午", "午前", "오전",
})  # fmt: skip
_EVENING = frozenset({
    "ch", "du", "pm", "μμ", "م", "下午", "午後", "오후",
})  # fmt: skip


def enabled_word(text: str) -> bool | None:
    """True for a word that says enabled, False for one that says disabled, None for any other."""
    word = text.strip().casefold()
    return True if word in _ENABLED else False if word in _DISABLED else None


def ready_word(text: str) -> bool:
    """Whether a status says that a task waits for its next start."""
    return text.strip().casefold() in _READY


def no_value(text: str) -> bool:
    """Whether a text stands for: there is none."""
    word = text.strip().casefold()
    return not word or word in _NOTHING


def never_word(text: str) -> bool:
    """Whether a text says that something never happened."""
    return text.strip().casefold() in _NEVER


def failure_line(text: str) -> bool:
    """Whether a line is a tool's own word of failure (`ERROR: ...`, `FEHLER: ...`)."""
    head, colon, _ = text.strip().partition(":")
    return bool(colon) and head.strip().casefold() in _FAILURE


def half_of_day(text: str) -> int | None:
    """0 for a marker of the morning, 12 for one of the afternoon, None for an unknown one."""
    word = text.casefold().replace(".", "").replace(" ", "").replace("\u00a0", "")
    return 0 if word in _MORNING else 12 if word in _EVENING else None
