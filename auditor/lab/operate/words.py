"""What commands of Windows say, in English and German. Texts only; a key that has no German text is said in English."""

from __future__ import annotations

from auditor.lab.machine import Machine
from auditor.lab.operate.said import Said

GERMAN = "0407"
_ENGLISH = {
    "not_recognized": "'{name}' is not recognized as an internal or external command,\noperable program or batch file.",
    "syntax": "{near} was unexpected at this time.",
    "bad_syntax": "The syntax of the command is incorrect.",
    "no_file": "The system cannot find the file specified.",
    "no_path": "The system cannot find the path specified.",
    "denied": "Access is denied.",
    "could_not_find": "Could Not Find {path}",
    "exists_already": "A subdirectory or file {path} already exists.",
    "copied": "        {count} file(s) copied.",
    "moved": "        {count} file(s) moved.",
    "reg_missing": "ERROR: The system was unable to find the specified registry key or value.",
    "reg_missing_2003": "Error:  The system was unable to find the specified registry key or value",
    "reg_syntax": 'ERROR: Invalid syntax.\nType "REG {verb} /?" for usage.',
    "reg_syntax_2003": "Error:  Invalid command-line parameters",
    "reg_denied": "ERROR: Access is denied.",
    "reg_denied_2003": "Error:  Access is denied.",
    "reg_done": "The operation completed successfully.",
    "reg_done_2003": "\nThe operation completed successfully",
    "sc_1060": "The specified service does not exist as an installed service.",
    "sc_1062": "The service has not been started.",
    "sc_1056": "An instance of the service is already running.",
    "sc_1058": ("The service cannot be started, either because it is disabled or because it has no enabled devices associated with it."),
    "sc_1052": "The requested control is not valid for this service.",
    "sc_1051": "A stop control has been sent to a service that other running services are dependent on.",
    "sc_1068": "The dependency service or group failed to start.",
    "sc_1639": "Invalid command line argument. Consult the Windows Installer SDK for detailed command line help.",
    "sc_5": "Access is denied.",
    "sc_87": "The parameter is incorrect.",
    "net_done": "The command completed successfully.",
    "net_starting": "The {name} service is starting.",
    "net_started": "The {name} service was started successfully.",
    "net_stopping": "The {name} service is stopping.",
    "net_stopped": "The {name} service was stopped successfully.",
    "net_2182": "The requested service has already been started.",
    "net_2185": "The service name is invalid.",
    "net_3521": "The {name} service is not started.",
    "net_3523": "The {name} service could not be started.",
    "net_3527": "The {name} service could not be stopped.",
    "net_5": "System error 5 has occurred.\n\nAccess is denied.",
    "net_53": "System error 53 has occurred.\n\nThe network path was not found.",
    "net_67": "System error 67 has occurred.\n\nThe network name cannot be found.",
    "net_more": "More help is available by typing NET HELPMSG {code}.",
    "net_dependents": (
        "The following services are dependent on the {name} service.\nStopping the {name} service will also stop these services."
    ),
    "task_created": 'SUCCESS: The scheduled task "{name}" has successfully been created.',
    "task_ran": 'SUCCESS: Attempted to run the scheduled task "{name}".',
    "task_ran_2003": 'SUCCESS: Attempted to run the scheduled task "{name}".',
    "task_deleted": 'SUCCESS: The scheduled task "{name}" was successfully deleted.',
    "task_changed": 'SUCCESS: The parameters of scheduled task "{name}" have been changed.',
    "task_missing": "ERROR: The system cannot find the file specified.",
    "task_missing_2003": 'ERROR: The specified task name "{name}" does not exist in the system.',
    "task_there": 'ERROR: The scheduled task "{name}" already exists.',
    "task_syntax": 'ERROR: Invalid syntax. {what}\nType "SCHTASKS {verb} /?" for usage.',
    "task_denied": "ERROR: Access is denied.",
    "tasks_none": "INFO: There are no scheduled tasks present in the system.",
    "shutdown_1190": "A system shutdown has already been scheduled.(1190)",
    "shutdown_1115": "A system shutdown is in progress.(1115)",
    "shutdown_1116": "Unable to abort the system shutdown because no shutdown was in progress.(1116)",
    "ping_unknown": "Ping request could not find host {name}. Please check the name and try again.",
    "no_tasks": "INFO: No tasks are running which match the specified criteria.",
    "no_tasks_2003": "INFO: No tasks running with the specified criteria.",
    "net_view_head": "Shared resources at {name}",
}
_GERMAN_TEXTS = {
    "not_recognized": 'Der Befehl "{name}" ist entweder falsch geschrieben oder\nkonnte nicht gefunden werden.',
    "syntax": '"{near}" kann syntaktisch an dieser Stelle nicht verarbeitet werden.',
    "bad_syntax": "Syntaxfehler.",
    "no_file": "Das System kann die angegebene Datei nicht finden.",
    "no_path": "Das System kann den angegebenen Pfad nicht finden.",
    "denied": "Zugriff verweigert",
    "could_not_find": "{path} konnte nicht gefunden werden",
    "exists_already": 'Ein Unterverzeichnis oder eine Datei mit dem Namen "{path}" existiert bereits.',
    "copied": "        {count} Datei(en) kopiert.",
    "moved": "        {count} Datei(en) verschoben.",
    "reg_missing": "FEHLER: Der angegebene Registrierungsschlüssel bzw. Wert wurde nicht gefunden.",
    "reg_missing_2003": "Fehler:  Der angegebene Registrierungsschlüssel bzw. Wert wurde nicht gefunden",
    "reg_syntax": 'FEHLER: Ungültige Syntax.\nGeben Sie "REG {verb} /?" ein, um die Syntax anzuzeigen.',
    "reg_denied": "FEHLER: Zugriff verweigert",
    "reg_denied_2003": "Fehler:  Zugriff verweigert",
    "reg_done": "Der Vorgang wurde erfolgreich beendet.",
    "reg_done_2003": "\nDer Vorgang wurde erfolgreich ausgeführt",
    "sc_1060": "Der angegebene Dienst ist kein installierter Dienst.",
    "sc_1062": "Der Dienst wurde nicht gestartet.",
    "sc_1056": "Es wird bereits eine Instanz des Dienstes ausgeführt.",
    "sc_1058": "Der Dienst kann nicht gestartet werden. Er ist deaktiviert oder es sind keine aktivierten Geräte damit verknüpft.",
    "sc_1052": "Der angeforderte Steuercode ist für diesen Dienst unzulässig.",
    "sc_1051": "Ein Beendigungsbefehl wurde an einen Dienst gesendet, von dem andere ausgeführte Dienste abhängig sind.",
    "sc_1068": "Der Abhängigkeitsdienst oder die Abhängigkeitsgruppe konnte nicht gestartet werden.",
    "sc_5": "Zugriff verweigert",
    "sc_87": "Falscher Parameter.",
    "net_done": "Der Befehl wurde erfolgreich ausgeführt.",
    "net_starting": "{name} wird gestartet.",
    "net_started": "{name} wurde erfolgreich gestartet.",
    "net_stopping": "{name} wird beendet.",
    "net_stopped": "{name} wurde erfolgreich beendet.",
    "net_2182": "Der angeforderte Dienst wurde bereits gestartet.",
    "net_2185": "Der Dienstname ist unzulässig.",
    "net_3521": "{name} wurde nicht gestartet.",
    "net_3523": "{name} konnte nicht gestartet werden.",
    "net_3527": "{name} konnte nicht beendet werden.",
    "net_5": "Systemfehler 5 aufgetreten.\n\nZugriff verweigert",
    "net_53": "Systemfehler 53 aufgetreten.\n\nDer Netzwerkpfad wurde nicht gefunden.",
    "net_67": "Systemfehler 67 aufgetreten.\n\nDer Netzwerkname wurde nicht gefunden.",
    "net_more": "Sie erhalten weitere Hilfe, wenn Sie NET HELPMSG {code} eingeben.",
    "task_created": 'ERFOLGREICH: Der geplante Task "{name}" wurde erfolgreich erstellt.',
    "task_ran": 'ERFOLGREICH: Es wurde versucht, den geplanten Task "{name}" auszuführen.',
    "task_ran_2003": 'ERFOLGREICH: Es wurde versucht, den geplanten Task "{name}" auszuführen.',
    "task_deleted": 'ERFOLGREICH: Der geplante Task "{name}" wurde erfolgreich gelöscht.',
    "task_changed": 'ERFOLGREICH: Die Parameter des geplanten Tasks "{name}" wurden geändert.',
    "task_missing": "FEHLER: Das System kann die angegebene Datei nicht finden.",
    "task_missing_2003": 'FEHLER: Der angegebene Taskname "{name}" ist nicht im System vorhanden.',
    "task_there": 'FEHLER: Der geplante Task "{name}" ist bereits vorhanden.',
    "task_denied": "FEHLER: Zugriff verweigert",
    "tasks_none": "INFORMATION: Es sind keine geplanten Tasks im System vorhanden.",
    "no_tasks": "INFORMATION: Es werden keine Aufgaben mit den angegebenen Kriterien ausgeführt.",
}
TEXTS = {"english": _ENGLISH, "german": _GERMAN_TEXTS}


def words(machine: Machine, key: str, **fields: object) -> str:
    """A text in the host's language, lines parted by CR LF; up to 2003 its own where it differs."""
    german = machine.facts.system.ui_language == GERMAN
    for name in (f"{key}_2003", key) if machine.legacy else (key,):
        text = (_GERMAN_TEXTS.get(name) if german else None) or _ENGLISH.get(name)
        if text is not None:
            return text.format(**fields).replace("\n", "\r\n")
    raise KeyError(key)


def said(machine: Machine, key: str, *, code: int = 0, error: bool = True, **fields: object) -> Said:
    """A command that says one text, on standard error unless told otherwise."""
    text = words(machine, key, **fields) + "\r\n"
    return Said(stderr=text, code=code) if error else Said(stdout=text, code=code)


def not_recognized(machine: Machine, name: str) -> Said:
    """What cmd.exe says of a command that it does not know."""
    return said(machine, "not_recognized", code=1, name=name)
