"""WS-Management on paper: requests read from XML, answers and faults written as XML. Pure: bytes in, bytes out.

Owns the envelope and its faults ([MS-WSMV], DSP0226). Must not know sockets, accounts, shells or hosts.
Faults are always sent with HTTP status 500; their shape (code, subcode, fault detail, WSManFault) follows what recorded
Windows hosts send, their sentences are our own. A request is read by defusedxml: no entities, no external references.
"""

from __future__ import annotations

import re
import uuid
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

import msgspec

from auditor.lab.process import Refusal

SOAP = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
ENUMERATION = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
MICROSOFT = "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"
FAULT = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
WMI_ERROR = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/MSFT_WmiError"
IDENTITY = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
SHELL_CMD = f"{SHELL}/cmd"
WMI = "http://schemas.microsoft.com/wbem/wsman/1/wmi"
ANONYMOUS = f"{ADDRESSING}/role/anonymous"

ACCESS_DENIED = 0x5
INVALID_PARAMETER = 0x57
RESOURCE_NOT_FOUND = 0x80338000
INVALID_HEADER = 0x8033800F
HEADER_REQUIRED = 0x80338011
ACTION_NOT_SUPPORTED = 0x80338013
INVALID_BODY = 0x80338027
OPERATION_TIMED_OUT = 0x80338029
ENCODING_LIMIT = 0x80338035
SCHEMA_INVALID = 0x80338041
INVALID_SELECTORS = 0x8033805B
QUOTA_SHELLS = 0x803381A5
QUOTA_OPERATIONS = 0x803381A6
LINE_TOO_LONG = 0x800700CE
FILTER_INVALID = 0x8033801A
CONTEXT_INVALID = 0x8033801B
WMI_DENIED = 0x80338104

SMALLEST_ENVELOPE = 8192
"""DSP0226 lets a service refuse requests for smaller answers than this."""
LONGEST_TIMEOUT_SECONDS = 60.0
"""MaxTimeoutms of a Windows host, 60,000 by default."""

# code -> fault code, subcode, fault detail
_SHAPES: dict[int, tuple[str, str, str]] = {
    ACCESS_DENIED: ("s:Sender", "w:AccessDenied", ""),
    INVALID_PARAMETER: ("s:Sender", "w:InvalidParameter", "InvalidValue"),
    RESOURCE_NOT_FOUND: ("s:Sender", "a:DestinationUnreachable", "InvalidResourceURI"),
    INVALID_HEADER: ("s:Sender", "a:InvalidMessageInformationHeader", ""),
    HEADER_REQUIRED: ("s:Sender", "a:MessageInformationHeaderRequired", ""),
    ACTION_NOT_SUPPORTED: ("s:Sender", "a:ActionNotSupported", ""),
    INVALID_BODY: ("s:Sender", "w:InvalidBody", ""),
    OPERATION_TIMED_OUT: ("s:Receiver", "w:TimedOut", ""),
    ENCODING_LIMIT: ("s:Sender", "w:EncodingLimit", "MinimumEnvelopeLimit"),
    SCHEMA_INVALID: ("s:Sender", "w:SchemaValidationError", ""),
    INVALID_SELECTORS: ("s:Sender", "w:InvalidSelectors", "UnexpectedSelectors"),
    QUOTA_SHELLS: ("s:Sender", "w:QuotaLimit", ""),
    FILTER_INVALID: ("s:Sender", "n:CannotProcessFilter", ""),
    CONTEXT_INVALID: ("s:Receiver", "n:InvalidEnumerationContext", ""),
    WMI_DENIED: ("s:Sender", "w:AccessDenied", ""),
}
_OTHER_SHAPE = ("s:Receiver", "w:InternalError", "")

_ACTIONS: dict[str, str] = {
    **{f"{TRANSFER}/{name}": name for name in ("Create", "Delete", "Get", "Put")},
    **{f"{SHELL}/{name}": name for name in ("Command", "Send", "Receive", "Signal")},
    **{f"{ENUMERATION}/{name}": name for name in ("Enumerate", "Pull", "Release")},
}
_DURATION = re.compile(r"P(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?)?")
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HEAD = (
    f'<s:Envelope xml:lang="en-US" xmlns:s="{SOAP}" xmlns:a="{ADDRESSING}" xmlns:x="{TRANSFER}" xmlns:n="{ENUMERATION}"'
    f' xmlns:w="{WSMAN}" xmlns:rsp="{SHELL}" xmlns:p="{MICROSOFT}"><s:Header>'
)


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One WS-Management request, as far as its envelope says."""

    action: str
    """Short name for the actions of `_ACTIONS` and Identify, else the action's URI (methods of WMI classes)."""
    resource_uri: str = ""
    message_id: str = ""
    selectors: dict[str, str] = {}
    options: dict[str, str] = {}
    """Names in upper case."""
    timeout_seconds: float = LONGEST_TIMEOUT_SECONDS
    max_envelope: int = 153600
    """Bytes that the client takes as one answer."""
    body: ET.Element | None = None

    @property
    def shell_id(self) -> str:
        """The ShellId selector in upper case, empty where there is none."""
        return self.selectors.get("ShellId", "").upper()


def read_request(data: bytes) -> Request:
    """The request in an envelope. Raises Refusal with the code of the fault to answer; its message id is then unknown."""
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root = fromstring(data)
    except (ET.ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise Refusal(f"the request is not well-formed XML: {type(error).__name__}", code=SCHEMA_INVALID) from error
    if root.tag != f"{{{SOAP}}}Envelope":
        raise Refusal("the request is no SOAP 1.2 envelope", code=SCHEMA_INVALID)
    header, body = root.find(f"{{{SOAP}}}Header"), root.find(f"{{{SOAP}}}Body")
    if body is not None and body.find(f"{{{IDENTITY}}}Identify") is not None:
        return Request(action="Identify")
    if header is None:
        raise Refusal("the envelope has no header", code=HEADER_REQUIRED)
    return _read_header(header, body)


def _read_header(header: ET.Element, body: ET.Element | None) -> Request:
    action = _text(header, f"{{{ADDRESSING}}}Action")
    message_id = _text(header, f"{{{ADDRESSING}}}MessageID")
    if not action or not message_id:
        raise Refusal("the header lacks an action or a message id", code=HEADER_REQUIRED)
    size = _text(header, f"{{{WSMAN}}}MaxEnvelopeSize") or "153600"
    if not size.isascii() or not size.isdigit() or len(size) > 12:
        raise Refusal("MaxEnvelopeSize is no number", code=INVALID_HEADER)
    selectors = header.findall(f"{{{WSMAN}}}SelectorSet/{{{WSMAN}}}Selector")
    options = header.findall(f"{{{WSMAN}}}OptionSet/{{{WSMAN}}}Option")
    timeout = _text(header, f"{{{WSMAN}}}OperationTimeout")
    seconds = read_duration(timeout) if timeout else LONGEST_TIMEOUT_SECONDS
    if seconds is None:
        raise Refusal("OperationTimeout is no duration", code=INVALID_HEADER)
    return Request(
        action=_ACTIONS.get(action, action),
        resource_uri=_text(header, f"{{{WSMAN}}}ResourceURI"),
        message_id=message_id,
        selectors={s.get("Name", ""): (s.text or "").strip() for s in selectors},
        options={o.get("Name", "").upper(): (o.text or "").strip() for o in options},
        timeout_seconds=min(max(seconds, 0.1), LONGEST_TIMEOUT_SECONDS),
        max_envelope=int(size),
        body=body,
    )


def _text(parent: ET.Element, path: str) -> str:
    return (parent.findtext(path) or "").strip()


def read_duration(text: str) -> float | None:
    """Seconds of an xs:duration of days or smaller, None where it is none."""
    match = _DURATION.fullmatch(text)
    if not match or text in ("P", "PT") or text.endswith("T"):
        return None
    days, hours, minutes, seconds = match.groups()
    return int(days or 0) * 86400 + int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds or 0)


def printable(text: str) -> str:
    """Text that XML 1.0 can hold, escaped; characters that it can't hold become U+FFFD."""
    return escape(_NOT_XML.sub("\ufffd", text))


def attribute(text: str) -> str:
    """A quoted attribute value."""
    return quoteattr(_NOT_XML.sub("\ufffd", text))


def envelope(action_uri: str, relates_to: str, body: str) -> bytes:
    """An answer. `body` is XML that uses the prefixes s, a, x, n, w, rsp and p."""
    related = f"<a:RelatesTo>{printable(relates_to)}</a:RelatesTo>" if relates_to else ""
    return (
        f"{_HEAD}<a:Action>{action_uri}</a:Action><a:MessageID>uuid:{new_id()}</a:MessageID><a:To>{ANONYMOUS}</a:To>"
        f"{related}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def new_id() -> str:
    """A GUID as Windows writes it."""
    return str(uuid.uuid4()).upper()


def fault(refusal: Refusal, relates_to: str, machine: str) -> bytes:
    """A fault. Operation quotas come as an MSFT_WmiError, as Windows sends them; everything else as a WSManFault."""
    code, subcode, detail = _SHAPES.get(refusal.code, _OTHER_SHAPE)
    reason = printable(refusal.message)
    named = f"<w:FaultDetail>{WSMAN.removesuffix('.xsd')}/faultDetail/{detail}</w:FaultDetail>" if detail else ""
    facts = _wmi_error(refusal.code, reason) if refusal.code == QUOTA_OPERATIONS else _wsman_fault(refusal.code, reason, machine)
    body = (
        f"<s:Fault><s:Code><s:Value>{code}</s:Value><s:Subcode><s:Value>{subcode}</s:Value></s:Subcode></s:Code>"
        f'<s:Reason><s:Text xml:lang="en-US">{reason}</s:Text></s:Reason><s:Detail>{named}{facts}</s:Detail></s:Fault>'
    )
    return envelope(f"{WSMAN.removesuffix('.xsd')}/fault", relates_to, body)


def _wsman_fault(code: int, reason: str, machine: str) -> str:
    return f'<f:WSManFault xmlns:f="{FAULT}" Code="{code}" Machine={attribute(machine)}><f:Message>{reason}</f:Message></f:WSManFault>'


def _wmi_error(code: int, reason: str) -> str:
    return (
        f'<e:MSFT_WmiError xmlns:e="{WMI_ERROR}"><e:CIMStatusCode>27</e:CIMStatusCode><e:Message>{reason}</e:Message>'
        f"<e:MessageID>HRESULT 0x{code:x}</e:MessageID><e:error_Category>30</e:error_Category><e:error_Code>{code}</e:error_Code>"
        f"<e:error_Type>HRESULT</e:error_Type><e:error_WindowsErrorMessage>{reason}</e:error_WindowsErrorMessage></e:MSFT_WmiError>"
    )


def identify(os_version: str, service_pack: str, stack: str) -> bytes:
    """The answer to Identify; without authentication Windows shows zeros for system and service pack."""
    return (
        f'<s:Envelope xml:lang="en-US" xmlns:s="{SOAP}"><s:Header/><s:Body><wsmid:IdentifyResponse xmlns:wsmid="{IDENTITY}">'
        f"<wsmid:ProtocolVersion>{WSMAN}</wsmid:ProtocolVersion><wsmid:ProductVendor>Microsoft Corporation</wsmid:ProductVendor>"
        f"<wsmid:ProductVersion>OS: {printable(os_version)} SP: {printable(service_pack)} Stack: {printable(stack)}"
        "</wsmid:ProductVersion></wsmid:IdentifyResponse></s:Body></s:Envelope>"
    ).encode()
