# cython: language_level=3
"""What messages derive from where it can be compiled: attributes that cost nothing before there are any.

An interpreter sets room for attributes aside with every object of a class that is written in Python, and
keeps it where nobody else may look. Here it is one pointer in a place of its own: so less is made with every
message, and the lane sees whether a message that it gets back is as good as new. The classes that programs
subclass and patch stay Python classes.
"""

from cpython.object cimport PyTypeObject

cdef extern from *:
    """
    /* In C, for Cython would make the dict at once, empty it at the end although somebody else has it,
     * and let nobody replace it. */
    struct ws4py_message {
        PyObject_HEAD
        PyObject *attributes;
        PyObject *references;
    };

    static PyObject *ws4py_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(named))
    {
        return type->tp_alloc(type, 0);
    }

    static int ws4py_traverse(PyObject *self, visitproc visit, void *arg)
    {
        Py_VISIT(((struct ws4py_message *)self)->attributes);
        return 0;
    }

    static int ws4py_clear(PyObject *self)
    {
        Py_CLEAR(((struct ws4py_message *)self)->attributes);
        return 0;
    }

    static void ws4py_dealloc(PyObject *self)
    {
        PyObject_GC_UnTrack(self);
        if (((struct ws4py_message *)self)->references)
            PyObject_ClearWeakRefs(self);
        ws4py_clear(self);
        Py_TYPE(self)->tp_free(self);
    }

    static PyGetSetDef ws4py_getset[] = {
        {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };

    static PyTypeObject ws4py_base = {
        PyVarObject_HEAD_INIT(NULL, 0)
        .tp_name = "ws4py._messaging_c.Base",
        .tp_doc = "Attributes and weak references, and nothing else.",
        .tp_basicsize = sizeof(struct ws4py_message),
        .tp_dictoffset = offsetof(struct ws4py_message, attributes),
        .tp_weaklistoffset = offsetof(struct ws4py_message, references),
        .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
        .tp_new = ws4py_new,
        .tp_traverse = ws4py_traverse,
        .tp_clear = ws4py_clear,
        .tp_dealloc = ws4py_dealloc,
        .tp_getset = ws4py_getset,
    };
    """
    PyTypeObject ws4py_base
    int PyType_Ready(PyTypeObject *made) except -1


PyType_Ready(&ws4py_base)
Base = <object>&ws4py_base
